//! What a newcomer reads when the node has started.

use crate::{commands, config::Config};

pub(super) fn print(config: &Config, with_demo: bool) -> anyhow::Result<()> {
    // `args` would panic at a path that isn't UTF-8.
    let started_as = std::env::args_os()
        .next()
        .and_then(|path| path.into_string().ok());
    commands::print(&text(config, with_demo, &program(started_as)))
}

/// What the reader types to run this program: the path by which it was started, since it may not be in PATH.
fn program(started_as: Option<String>) -> String {
    started_as
        .filter(|path| !path.is_empty())
        .unwrap_or_else(|| "spillway".into())
}

fn text(config: &Config, with_demo: bool, program: &str) -> String {
    let base = config.http.base_url();
    let demo = if with_demo {
        format!("  Watch the demo       {base}/watch/demo\n")
    } else {
        String::new()
    };
    let data_dir = config.data_dir.display();
    format!(
        "Spillway {version} is running.\n\n\
         {demo}\
         \x20 Live channels        {base}/\n\
         \x20 Publish (browser)    {base}/studio/mychannel\n\
         \x20 Publish (OBS, WHIP)  {base}/whip/mychannel\n\
         \x20 Key for publishing   {program} token publish mychannel --data-dir {data_dir}\n\n\
         Choose a name instead of \"mychannel\"; the key makes the channel. Stop with Ctrl-C.\n",
        version = env!("CARGO_PKG_VERSION"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_urls_and_how_to_get_a_key_but_no_key() {
        let program = program(Some("target/quick/spillway".into()));
        let text = text(&Config::default(), true, &program);
        for part in [
            "http://localhost:8080/watch/demo",
            "http://localhost:8080/whip/mychannel",
            "target/quick/spillway token publish",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("eyJ"), "{text}");
    }
}

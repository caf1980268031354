//! What a newcomer reads when the node has started.

use crate::{commands, config::Config};

pub(super) fn print(config: &Config, with_demo: bool) -> anyhow::Result<()> {
    commands::print(&text(config, with_demo))
}

fn text(config: &Config, with_demo: bool) -> String {
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
         \x20 Key for publishing   spillway token publish mychannel --data-dir {data_dir}\n\n\
         Choose a name instead of \"mychannel\"; the key makes the channel. Stop with Ctrl-C.\n",
        version = env!("CARGO_PKG_VERSION"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_urls_and_how_to_get_a_key_but_no_key() {
        let text = text(&Config::default(), true);
        for part in [
            "http://localhost:8080/watch/demo",
            "http://localhost:8080/whip/mychannel",
            "spillway token publish",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("eyJ"), "{text}");
    }
}

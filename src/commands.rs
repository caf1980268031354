//! The commands that aren't the server: tokens and configuration.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use spillway_signaling::{
    ChannelName,
    api::model::{Timestamp, TokenKind},
};

use crate::{
    auth::{self, SigningKey},
    cli::{Cli, Command, Source, Token, TokenCommand},
    data_dir, doctor, logging, serve,
    store::{Creation, Page, Sqlite, Store as _},
    time, tls,
};

/// Tokens that are read from the store at a time.
const PAGE: usize = 200;

/// Does what the command line asks for.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("can't start the runtime")?;
    match cli.command {
        Command::Serve(serve) => runtime.block_on(serve::run(&serve.load()?, serve.demo)),
        Command::Token(token) => runtime.block_on(tokens(&token)),
        Command::CheckConfig(source) => check_config(&source),
        Command::Doctor(source) => runtime.block_on(doctor::run(&source.load()?)),
    }
}

fn check_config(source: &Source) -> anyhow::Result<()> {
    let config = source.load()?;
    logging::filter(&config.log)?;
    tls::load(&config.http)?;
    auth::Issuers::load(&config.auth.issuers)?;
    let what = source
        .config
        .as_deref()
        .map_or("the defaults are".into(), |path| {
            format!("{} is", path.display())
        });
    print(&format!("{what} valid"))
}

async fn tokens(command: &Token) -> anyhow::Result<()> {
    let config = command.source().load()?;
    let directory = match &command.command {
        // What a newcomer does first: there may be no node yet.
        TokenCommand::Publish(_) => prepare(&config.data_dir)?,
        _ => data_dir::existing(&config.data_dir)?,
    };
    let store = Sqlite::open(&data_dir::database(&directory))?;
    let (kind, channel, terms) = match &command.command {
        TokenCommand::Publish(wish) => (TokenKind::Publish, Some(&wish.channel), &wish.terms),
        TokenCommand::View(wish) => (TokenKind::View, Some(&wish.channel), &wish.terms),
        TokenCommand::Moderate(wish) => (TokenKind::Moderate, Some(&wish.channel), &wish.terms),
        TokenCommand::Service(terms) => (TokenKind::Service, None, terms),
        TokenCommand::Admin(terms) => (TokenKind::Admin, None, terms),
        TokenCommand::List => return list(&store).await,
        TokenCommand::Revoke { id } => return revoke(&store, id).await,
    };
    let key = SigningKey::load_or_create(&directory)?;
    let issued = auth::issue(
        &key,
        kind,
        channel.cloned(),
        terms.expires,
        terms.note.clone(),
    )?;
    let most = config.limits.tokens;
    if store.add_token(&issued.details, most).await? == Creation::Full {
        bail!("there are {most} tokens already; revoke some, or raise limits.tokens");
    }
    print(&issued.token)
}

/// The data directory, made if need be; says so, since it may have been misspelt.
fn prepare(path: &Path) -> anyhow::Result<PathBuf> {
    let is_new = !data_dir::has_store(path);
    let directory = data_dir::prepare(path)?;
    if is_new {
        let whole = directory.canonicalize().unwrap_or(directory.clone());
        // Nobody reads it: no reason to print no token.
        let _ = writeln!(
            std::io::stderr(),
            "note: {} is new: made a store and a signing key there. Only a node with this data directory believes the token.",
            whole.display()
        );
    }
    Ok(directory)
}

async fn list(store: &Sqlite) -> anyhow::Result<()> {
    print(&format!(
        "{:32}  {:8}  {:20}  {:20}  {}",
        "ID", "KIND", "CHANNEL", "EXPIRES", "NOTE"
    ))?;
    let mut after = None;
    loop {
        let tokens = store
            .tokens(time::now(), &Page { after, limit: PAGE })
            .await?;
        let Some(last) = tokens.last() else {
            return Ok(());
        };
        after = Some(last.id.clone());
        for token in &tokens {
            let expires = match (token.revoked_at, token.expires_at) {
                (Some(_), _) => "revoked".into(),
                (None, None) => "never".into(),
                (None, Some(at)) => date(at),
            };
            let channel = token.channel.as_ref().map_or("(all)", ChannelName::as_str);
            let kind = kind_name(token.kind);
            print(&format!(
                "{:32}  {kind:8}  {channel:20}  {expires:20}  {}",
                token.id, token.note
            ))?;
        }
    }
}

async fn revoke(store: &Sqlite, id: &str) -> anyhow::Result<()> {
    if !store.revoke_token(id, time::now()).await? {
        bail!("no token has the identifier {id}; `spillway token list` shows all");
    }
    print(
        "revoked; nothing new begins with it, and a running server ends what came with it within a few seconds",
    )
}

fn kind_name(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Publish => "publish",
        TokenKind::View => "view",
        TokenKind::Moderate => "moderate",
        TokenKind::Service => "service",
        TokenKind::Admin => "admin",
    }
}

fn date(at: Timestamp) -> String {
    let moment = std::time::UNIX_EPOCH + std::time::Duration::from_millis(at.0);
    humantime::format_rfc3339_seconds(moment).to_string()
}

/// An error with its causes, each told once: many of our texts repeat their cause already.
pub fn explain(error: &anyhow::Error) -> String {
    error
        .chain()
        .skip(1)
        .map(ToString::to_string)
        .fold(error.to_string(), |told, cause| {
            if told.contains(&cause) {
                told
            } else {
                format!("{told}: {cause}")
            }
        })
}

/// A reader that goes away (`| head`) is no reason for a panic.
pub(crate) fn print(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("can't write to the terminal")
}

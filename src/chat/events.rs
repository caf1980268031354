//! Donations and subscriptions, as payment providers tell of them: signed, told again until they're acknowledged.
//!
//! Our own form has a signature like Stripe's: `t=` seconds since 1970, `v1=` HMAC-SHA256 over `{t}.{channel}.{key}.{body}` in
//! hexadecimal. The moment bounds for how long a request that somebody saw can be sent again; the key makes that harmless within it,
//! since it's signed as the channel is. Stripe signs `{t}.{body}`, with the checkout's identifier in the body.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha256;
use spillway_chat::{
    protocol::{EventKind, StreamEvent},
    room::NewEvent,
    text,
};
use spillway_signaling::{ChannelName, Refusal, SignedEvent, api::model::Timestamp};

use crate::config::{EventForm, EventSource};

/// The longest name of a donor, in characters.
const MAX_NAME: usize = 64;
/// The longest message with a donation, in characters.
const MAX_TEXT: usize = 500;
/// The largest amount: what a double holds exactly, since players are written in JavaScript.
const MAX_AMOUNT: u64 = 1 << 53;
/// The longest key of a request, in bytes of visible ASCII.
const MAX_KEY: usize = 128;
/// The most months of a subscription.
const MAX_MONTHS: u32 = 1200;

/// Who may tell of events, and how old what they tell may be.
pub(super) struct EventSources {
    pub(super) sources: Vec<EventSource>,
    pub(super) window: Duration,
}

/// What a request comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Something for the log.
    Event(NewEvent),
    /// Sound, but nothing that anybody is to see: providers want to hear that it came.
    Nothing,
}

/// Our own form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnEvent {
    kind: EventKind,
    #[serde(default)]
    name: String,
    amount: Option<u64>,
    currency: Option<String>,
    #[serde(default)]
    text: String,
    months: Option<u32>,
}

/// What of Stripe's events is read.
#[derive(Deserialize)]
struct StripeEvent {
    #[serde(rename = "type")]
    kind: String,
    data: StripeData,
}

#[derive(Deserialize)]
struct StripeData {
    object: serde_json::Value,
}

#[derive(Deserialize)]
struct CheckoutSession {
    id: String,
    mode: Option<String>,
    payment_status: Option<String>,
    amount_total: Option<u64>,
    currency: Option<String>,
    #[serde(default)]
    metadata: Option<CheckoutMetadata>,
}

#[derive(Deserialize, Default)]
struct CheckoutMetadata {
    #[serde(default)]
    name: String,
    #[serde(default)]
    message: String,
    /// For which channel; without, for each that the event is told to.
    channel: Option<String>,
}

impl EventSources {
    /// Reads a request, if one of the channel's sources signed it lately.
    pub(super) fn read(
        &self,
        channel: &ChannelName,
        request: &SignedEvent,
        now: Timestamp,
    ) -> Result<Told, Refusal> {
        let (form, signature) = match (&request.signature, &request.stripe_signature) {
            (Some(signature), None) => (EventForm::Spillway, signature),
            (None, Some(signature)) => (EventForm::Stripe, signature),
            _ => {
                return Err(Refusal::Unauthorized(
                    "sign the request with Spillway-Signature: t=…,v1=… (docs/donations.md)".into(),
                ));
            }
        };
        let mut of_channel = self.sources.iter().filter(|source| {
            source.form == form && (source.channels.is_empty() || source.channels.contains(channel))
        });
        let signature = Signature::read(signature)?;
        let seconds = now.0 / 1000;
        if seconds.abs_diff(signature.at) > self.window.as_secs() {
            return Err(Refusal::Unauthorized(
                "the signature's moment is too far from this server's clock; sign the request anew"
                    .into(),
            ));
        }
        let about = match form {
            EventForm::Spillway => format!("{channel}.{}.", key_of(request)),
            EventForm::Stripe => String::new(),
        };
        let source = of_channel
            .find(|source| signature.is_by(source.secret.as_bytes(), &about, &request.body));
        let source = source.ok_or_else(|| {
            Refusal::Unauthorized("no source of this channel's events signed this".into())
        })?;
        match form {
            EventForm::Spillway => own_event(&source.name, request).map(Told::Event),
            EventForm::Stripe => stripe_event(&source.name, channel, &request.body),
        }
    }
}

/// `t=…,v1=…`: other members are for other schemes.
struct Signature<'a> {
    at: u64,
    moment: &'a str,
    macs: Vec<[u8; 32]>,
}

impl<'a> Signature<'a> {
    fn read(header: &'a str) -> Result<Self, Refusal> {
        let malformed =
            || Refusal::Unauthorized("the signature isn't t=SECONDS,v1=HEXADECIMAL".into());
        let members = || {
            header
                .split(',')
                .filter_map(|member| member.trim().split_once('='))
        };
        let moment = members()
            .find(|(name, _)| *name == "t")
            .ok_or_else(malformed)?
            .1;
        let decoded = |text: &str| {
            let mut mac = [0; 32];
            hex::decode_to_slice(text, &mut mac).ok().map(|()| mac)
        };
        // Two while a secret is changed (Stripe); a few are enough for anybody.
        let macs = members().filter(|(name, _)| *name == "v1").take(4);
        Ok(Self {
            at: moment.parse().map_err(|_| malformed())?,
            moment,
            macs: macs.filter_map(|(_, mac)| decoded(mac)).collect(),
        })
    }

    #[expect(
        clippy::expect_used,
        reason = "HMAC takes keys of every length (RFC 2104 §3)"
    )]
    fn is_by(&self, secret: &[u8], about: &str, body: &[u8]) -> bool {
        let mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of every length");
        let mac = mac
            .chain_update(self.moment)
            .chain_update(".")
            .chain_update(about)
            .chain_update(body);
        // In constant time.
        self.macs
            .iter()
            .any(|given| mac.clone().verify_slice(given).is_ok())
    }
}

/// What the request calls its event: what is no name is refused when the signature is found good.
fn key_of(request: &SignedEvent) -> &str {
    request.idempotency_key.as_deref().unwrap_or_default()
}

fn own_event(source: &str, request: &SignedEvent) -> Result<NewEvent, Refusal> {
    let key = key_of(request);
    if !(1..=MAX_KEY).contains(&key.len()) || !key.bytes().all(|b| b.is_ascii_graphic()) {
        let text = format!(
            "name the event in Idempotency-Key: 1 to {MAX_KEY} visible characters of ASCII"
        );
        return Err(Refusal::Malformed(text));
    }
    let event: OwnEvent = serde_json::from_slice(&request.body).map_err(|error| {
        let complaint: String = error.to_string().chars().take(200).collect();
        Refusal::Malformed(complaint)
    })?;
    let given = match (event.amount, event.currency) {
        (Some(amount), Some(currency)) => Some((currency, amount)),
        (None, None) if event.kind == EventKind::Subscription => None,
        _ => {
            return Err(Refusal::Unprocessable(
                "a donation has an amount in minor units and its currency".into(),
            ));
        }
    };
    if event
        .months
        .is_some_and(|months| !(1..=MAX_MONTHS).contains(&months))
    {
        return Err(Refusal::Unprocessable(format!(
            "months is 1 to {MAX_MONTHS}"
        )));
    }
    let mut told = make(event.kind, &event.name, &event.text, given)?;
    told.months = event.months;
    Ok(NewEvent {
        key: format!("e/{source}/{key}"),
        event: told,
    })
}

/// A checkout that was paid, at once or later: both bear the checkout's identifier, so it counts once.
fn stripe_event(source: &str, channel: &ChannelName, body: &[u8]) -> Result<Told, Refusal> {
    let unreadable = |_| Refusal::Malformed("this isn't an event as Stripe sends them".into());
    let event: StripeEvent = serde_json::from_slice(body).map_err(unreadable)?;
    let is_checkout = matches!(
        event.kind.as_str(),
        "checkout.session.completed" | "checkout.session.async_payment_succeeded"
    );
    if !is_checkout {
        return Ok(Told::Nothing);
    }
    let checkout: CheckoutSession =
        serde_json::from_value(event.data.object).map_err(unreadable)?;
    if checkout.payment_status.as_deref() != Some("paid") {
        return Ok(Told::Nothing);
    }
    let CheckoutMetadata {
        name,
        message,
        channel: meant,
    } = checkout.metadata.unwrap_or_default();
    // Stripe tells each event to all endpoints of an account, so to those of other channels too.
    if meant.is_some_and(|meant| meant != channel.as_str()) {
        return Ok(Told::Nothing);
    }
    if checkout.id.is_empty() || checkout.id.len() > MAX_KEY {
        return Err(Refusal::Malformed("the checkout has no identifier".into()));
    }
    let (Some(amount), Some(currency)) = (checkout.amount_total, checkout.currency) else {
        return Err(Refusal::Malformed("the checkout has no amount".into()));
    };
    let kind = match checkout.mode.as_deref() {
        Some("subscription") => EventKind::Subscription,
        _ => EventKind::Donation,
    };
    let cut = |text: &str, most| text.chars().take(most).collect::<String>();
    // What the buyer wrote into a form can't be refused any more: the money is there.
    let event = make(
        kind,
        &cut(&name, MAX_NAME),
        &cut(&message, MAX_TEXT),
        Some((currency.to_ascii_uppercase(), amount)),
    )?;
    Ok(Told::Event(NewEvent {
        key: format!("e/{source}/{}", checkout.id),
        event,
    }))
}

fn make(
    kind: EventKind,
    name: &str,
    said: &str,
    given: Option<(String, u64)>,
) -> Result<StreamEvent, Refusal> {
    let (name, said) = (text::clean(name), text::clean(said));
    if name.chars().count() > MAX_NAME || said.chars().count() > MAX_TEXT {
        let text = format!("name has {MAX_NAME} characters at most, text {MAX_TEXT}");
        return Err(Refusal::Unprocessable(text));
    }
    if let Some((currency, amount)) = &given {
        if iso_currency::Currency::from_code(currency).is_none() {
            return Err(Refusal::Unprocessable(
                "currency is a code of ISO 4217, as EUR".into(),
            ));
        }
        if !(1..=MAX_AMOUNT).contains(amount) {
            return Err(Refusal::Unprocessable(
                "amount is a positive number of the currency's minor units".into(),
            ));
        }
    }
    let (currency, amount) = given.map_or((None, None), |(currency, amount)| {
        (Some(currency), Some(amount))
    });
    Ok(StreamEvent {
        kind,
        name,
        amount,
        currency,
        text: said,
        months: None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn source(name: &str, secret: &str, form: EventForm, channels: &[&str]) -> EventSource {
        EventSource {
            name: name.into(),
            secret: secret.into(),
            form,
            channels: channels.iter().map(|name| name.parse().unwrap()).collect(),
        }
    }

    fn sources() -> EventSources {
        EventSources {
            sources: vec![
                source(
                    "shop",
                    "a secret of the shop",
                    EventForm::Spillway,
                    &["demo"],
                ),
                source("all", "a secret for all of it", EventForm::Spillway, &[]),
                source("stripe", "whsec_something_long", EventForm::Stripe, &[]),
            ],
            window: Duration::from_mins(5),
        }
    }

    fn signed(secret: &str, at: u64, what: &str) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        let mac = mac
            .chain_update(format!("{at}.{what}"))
            .finalize()
            .into_bytes();
        format!("t={at},v0=ff,v1={}", hex::encode(mac))
    }

    /// For the channel "demo".
    fn own(secret: &str, at: u64, body: &str) -> SignedEvent {
        SignedEvent {
            body: body.as_bytes().to_vec(),
            signature: Some(signed(secret, at, &format!("demo.pay-1.{body}"))),
            stripe_signature: None,
            idempotency_key: Some("pay-1".into()),
        }
    }

    fn seconds() -> u64 {
        NOW.0 / 1000
    }

    fn donation() -> String {
        json!({"kind": "donation", "name": " Grace\u{202e} ", "amount": 500, "currency": "EUR", "text": "great"}).to_string()
    }

    fn read(channel: &str, request: &SignedEvent) -> Result<Told, Refusal> {
        sources().read(&channel.parse().unwrap(), request, NOW)
    }

    fn event(told: Result<Told, Refusal>) -> NewEvent {
        match told.unwrap() {
            Told::Event(event) => event,
            Told::Nothing => panic!("nothing"),
        }
    }

    #[test]
    fn a_signed_donation_is_read_and_cleaned() {
        let read = event(read(
            "demo",
            &own("a secret of the shop", seconds(), &donation()),
        ));
        assert_eq!(read.key, "e/shop/pay-1");
        assert_eq!(
            (read.event.name.as_str(), read.event.amount),
            ("Grace", Some(500))
        );
    }

    #[test]
    fn what_is_forged_stale_or_of_another_channel_is_not_believed() {
        let unauthorized = |told: Result<Told, Refusal>| {
            assert!(matches!(told, Err(Refusal::Unauthorized(_))), "{told:?}");
        };
        unauthorized(read(
            "other",
            &own("a secret of the shop", seconds(), &donation()),
        ));
        unauthorized(read("demo", &own("another secret", seconds(), &donation())));
        unauthorized(read(
            "demo",
            &own("a secret for all of it", seconds() - 301, &donation()),
        ));
        unauthorized(read(
            "demo",
            &own("a secret for all of it", seconds() + 301, &donation()),
        ));
        let mut changed = own("a secret for all of it", seconds(), &donation());
        changed.body[20] ^= 1;
        unauthorized(read("demo", &changed));
        for header in ["", "t=1", "v1=00", "t=x,v1=00", "t=1800000000,v1=zz"] {
            changed.signature = Some(header.into());
            unauthorized(read("demo", &changed));
        }
        changed.signature = None;
        unauthorized(read("demo", &changed));
    }

    #[test]
    fn what_was_signed_once_is_no_other_payment_and_none_of_another_channel() {
        let seen = own("a secret for all of it", seconds(), &donation());
        assert_eq!(event(read("demo", &seen)).key, "e/all/pay-1");
        let elsewhere = read("other", &seen);
        assert!(
            matches!(elsewhere, Err(Refusal::Unauthorized(_))),
            "{elsewhere:?}"
        );
        for key in [None, Some("pay-2"), Some("")] {
            let renamed = SignedEvent {
                idempotency_key: key.map(Into::into),
                ..seen.clone()
            };
            let told = read("demo", &renamed);
            assert!(matches!(told, Err(Refusal::Unauthorized(_))), "{told:?}");
        }
        // As it was signed before the channel and the key were.
        let bare = SignedEvent {
            signature: Some(signed("a secret for all of it", seconds(), &donation())),
            ..seen
        };
        let told = read("demo", &bare);
        assert!(matches!(told, Err(Refusal::Unauthorized(_))), "{told:?}");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |body: serde_json::Value| {
            read(
                "demo",
                &own("a secret for all of it", seconds(), &body.to_string()),
            )
            .unwrap_err()
        };
        for body in [
            json!({"kind": "donation", "amount": 0, "currency": "EUR"}),
            json!({"kind": "donation", "amount": 5}),
            json!({"kind": "donation", "amount": 5, "currency": "eur"}),
            json!({"kind": "donation", "amount": 5, "currency": "ZZZ"}),
            json!({"kind": "subscription", "months": 0}),
            json!({"kind": "subscription", "text": "x".repeat(501)}),
        ] {
            assert!(matches!(refused(body), Refusal::Unprocessable(_)));
        }
        for body in [
            json!({"kind": "theft"}),
            json!([]),
            json!({"kind": "donation", "amount": -5, "currency": "EUR"}),
        ] {
            assert!(matches!(refused(body), Refusal::Malformed(_)));
        }
        let mut nameless = own("a secret for all of it", seconds(), &donation());
        nameless.idempotency_key = None;
        let what = format!("demo..{}", donation());
        nameless.signature = Some(signed("a secret for all of it", seconds(), &what));
        assert!(matches!(
            read("demo", &nameless),
            Err(Refusal::Malformed(_))
        ));
    }

    #[test]
    fn a_paid_checkout_of_stripe_counts_once_and_all_else_is_taken_without_a_word() {
        let checkout = |kind: &str, status: &str| {
            let body = json!({
                "id": format!("evt_{kind}"), "object": "event", "type": kind, "livemode": true,
                "data": {"object": {
                    "id": "cs_1", "object": "checkout.session", "mode": "payment", "payment_status": status,
                    "amount_total": 1234, "currency": "usd", "metadata": {"name": "Grace", "message": "m".repeat(900)},
                }},
            })
            .to_string();
            SignedEvent {
                stripe_signature: Some(signed("whsec_something_long", seconds(), &body)),
                body: body.into_bytes(),
                signature: None,
                idempotency_key: None,
            }
        };
        let at_once = event(read(
            "demo",
            &checkout("checkout.session.completed", "paid"),
        ));
        let later = event(read(
            "demo",
            &checkout("checkout.session.async_payment_succeeded", "paid"),
        ));
        assert_eq!((&at_once.key, &at_once), (&later.key, &later));
        assert_eq!(at_once.event.currency.as_deref(), Some("USD"));
        assert_eq!(at_once.event.text.len(), MAX_TEXT);
        assert_eq!(
            read("demo", &checkout("checkout.session.completed", "unpaid")),
            Ok(Told::Nothing)
        );
        assert_eq!(
            read("demo", &checkout("customer.created", "paid")),
            Ok(Told::Nothing)
        );
    }

    #[test]
    fn a_checkout_that_names_a_channel_is_for_no_other() {
        let body = json!({
            "type": "checkout.session.completed",
            "data": {"object": {
                "id": "cs_1", "payment_status": "paid", "amount_total": 1234, "currency": "usd",
                "metadata": {"channel": "demo"},
            }},
        })
        .to_string();
        let checkout = SignedEvent {
            stripe_signature: Some(signed("whsec_something_long", seconds(), &body)),
            body: body.into_bytes(),
            signature: None,
            idempotency_key: None,
        };
        assert_eq!(event(read("demo", &checkout)).event.amount, Some(1234));
        assert_eq!(read("other", &checkout), Ok(Told::Nothing));
    }
}

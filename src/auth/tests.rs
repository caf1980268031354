#![allow(clippy::unwrap_used)]

use jsonwebtoken::EncodingKey;
use serde_json::json;
use spillway_signaling::api::model::Timestamp;

use super::*;
use crate::{config::Issuer, store::Sqlite};

struct Fixture {
    verifier: Verifier,
    store: Sqlite,
    directory: tempfile::TempDir,
}

const FOREIGN: &str = "https://id.example.org";
const FOREIGN_SECRET: &[u8] = b"a shared secret of thirty-two by";

fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let jwks = directory.path().join("jwks.json");
    // The same bytes as FOREIGN_SECRET, in base64url.
    let set = json!({"keys": [{"kty": "oct", "kid": "one", "k": "YSBzaGFyZWQgc2VjcmV0IG9mIHRoaXJ0eS10d28gYnk"}]});
    std::fs::write(&jwks, set.to_string()).unwrap();
    let issuers = Issuers::load(&[Issuer {
        name: FOREIGN.into(),
        jwks,
    }])
    .unwrap();
    let key = SigningKey::load_or_create(directory.path()).unwrap();
    let store = Sqlite::open(&directory.path().join("spillway.db")).unwrap();
    Fixture {
        verifier: Verifier::new(key, issuers),
        store,
        directory,
    }
}

impl Fixture {
    async fn issue(
        &self,
        kind: TokenKind,
        channel: Option<&str>,
        lifetime: Option<Duration>,
    ) -> IssuedToken {
        let channel = channel.map(|name| name.parse().unwrap());
        let issued = issue(self.verifier.key(), kind, channel, lifetime, String::new()).unwrap();
        self.store.add_token(&issued.details, 100).await.unwrap();
        issued
    }

    async fn verify(&self, token: &str) -> Result<Grant, TokenError> {
        self.verifier.verify(token, &self.store).await
    }
}

fn foreign(claims: &serde_json::Value) -> String {
    let header = Header {
        kid: Some("one".into()),
        ..Header::new(Algorithm::HS256)
    };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(FOREIGN_SECRET)).unwrap()
}

#[tokio::test]
async fn a_token_grants_its_role_on_its_channel_alone() {
    let fixture = fixture();
    let issued = fixture.issue(TokenKind::Publish, Some("demo"), None).await;
    let grant = fixture.verify(&issued.token).await.unwrap();
    let (demo, other) = ("demo".parse().unwrap(), "other".parse().unwrap());
    assert!(grant.allows(TokenKind::Publish, &demo) && grant.allows_viewing(&demo));
    assert!(!grant.allows(TokenKind::Publish, &other) && !grant.allows_viewing(&other));
    assert!(!grant.allows(TokenKind::Moderate, &demo) && !grant.allows(TokenKind::Admin, &demo));
    let admin = fixture.issue(TokenKind::Admin, None, None).await;
    assert!(
        fixture
            .verify(&admin.token)
            .await
            .unwrap()
            .allows(TokenKind::Publish, &other)
    );
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    let fixture = fixture();
    let issued = fixture
        .issue(TokenKind::View, Some("demo"), Some(Duration::from_hours(1)))
        .await;
    assert!(fixture.verify(&issued.token).await.is_ok());
    let claims =
        json!({"iss": OWN_ISSUER, "role": "view", "channel": "demo", "jti": "x", "exp": 1000});
    let expired = jsonwebtoken::encode(
        &Header::default(),
        &claims,
        fixture.verifier.key().encoding(),
    )
    .unwrap();
    assert!(matches!(
        fixture.verify(&expired).await,
        Err(TokenError::Expired)
    ));
}

#[tokio::test]
async fn a_revoked_token_is_refused() {
    let fixture = fixture();
    let issued = fixture.issue(TokenKind::Publish, Some("demo"), None).await;
    assert!(fixture.verify(&issued.token).await.is_ok());
    fixture
        .store
        .revoke_token(&issued.details.id, time::now())
        .await
        .unwrap();
    assert!(matches!(
        fixture.verify(&issued.token).await,
        Err(TokenError::Revoked)
    ));
}

#[tokio::test]
async fn a_token_of_another_key_is_refused() {
    let (ours, theirs) = (fixture(), fixture());
    let token = theirs.issue(TokenKind::Admin, None, None).await.token;
    assert!(matches!(ours.verify(&token).await, Err(TokenError::Forged)));
}

#[tokio::test]
async fn a_token_without_a_signature_is_refused() {
    let fixture = fixture();
    // {"alg":"none"}.{"iss":"spillway","role":"admin"}.
    for token in [
        "eyJhbGciOiJub25lIn0.eyJpc3MiOiJzcGlsbHdheSIsInJvbGUiOiJhZG1pbiJ9.",
        "",
        "a",
        "a.b.c",
        "..",
        "ü.ü.ü",
    ] {
        assert!(
            matches!(fixture.verify(token).await, Err(TokenError::Malformed)),
            "{token}"
        );
    }
    assert!(matches!(
        fixture.verify(&"a".repeat(10_000)).await,
        Err(TokenError::Malformed)
    ));
}

#[tokio::test]
async fn no_changed_character_of_a_token_is_overlooked() {
    let fixture = fixture();
    let token = fixture
        .issue(TokenKind::Publish, Some("demo"), None)
        .await
        .token;
    // The last character of each part may carry unused bits, which a strict reader refuses as malformed.
    for index in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(fixture.verify(&changed).await.is_err(), "character {index}");
    }
}

#[tokio::test]
async fn configured_issuers_are_believed_and_others_are_not() {
    let fixture = fixture();
    let sound =
        json!({"iss": FOREIGN, "sub": "alice", "role": "publish", "channel": "demo", "jti": "1"});
    let grant = fixture.verify(&foreign(&sound)).await.unwrap();
    assert_eq!(grant.holder, "https://id.example.org alice");
    let stranger = json!({"iss": "https://evil.example", "role": "admin"});
    assert!(matches!(
        fixture.verify(&foreign(&stranger)).await,
        Err(TokenError::UnknownIssuer)
    ));
    // Another issuer's key says nothing about tokens in this node's own name.
    let posing = json!({"iss": OWN_ISSUER, "role": "admin"});
    assert!(matches!(
        fixture.verify(&foreign(&posing)).await,
        Err(TokenError::Forged)
    ));
}

#[tokio::test]
async fn a_token_meant_for_another_service_is_refused() {
    let fixture = fixture();
    let claims = |audience: &str| json!({"iss": FOREIGN, "aud": audience, "role": "view", "channel": "demo"});
    assert!(fixture.verify(&foreign(&claims(AUDIENCE))).await.is_ok());
    assert!(matches!(
        fixture.verify(&foreign(&claims("mail"))).await,
        Err(TokenError::Unfit)
    ));
}

#[tokio::test]
async fn a_token_without_role_or_channel_is_refused() {
    let fixture = fixture();
    for claims in [
        json!({"iss": FOREIGN, "role": "publish"}),
        json!({"iss": FOREIGN, "channel": "demo"}),
        json!({"iss": FOREIGN, "role": "king", "channel": "demo"}),
        json!({"iss": FOREIGN, "role": "view", "channel": "not a channel"}),
    ] {
        assert!(
            matches!(
                fixture.verify(&foreign(&claims)).await,
                Err(TokenError::Unfit)
            ),
            "{claims}"
        );
    }
}

#[tokio::test]
async fn a_key_set_that_cannot_be_used_is_named() {
    let fixture = fixture();
    let jwks = fixture.directory.path().join("bad.json");
    let load = || {
        Issuers::load(&[Issuer {
            name: FOREIGN.into(),
            jwks: jwks.clone(),
        }])
        .err()
        .unwrap()
        .to_string()
    };
    assert!(load().contains("bad.json") && load().contains("auth.issuers"));
    std::fs::write(&jwks, "{\"keys\": []}").unwrap();
    assert!(load().contains("no keys"));
}

#[tokio::test]
async fn a_revoked_token_stays_void_when_it_is_forgotten() {
    let fixture = fixture();
    let issued = fixture.issue(TokenKind::Publish, Some("demo"), None).await;
    let (id, store) = (&issued.details.id, &fixture.store);
    store.revoke_token(id, Timestamp(5)).await.unwrap();
    store
        .forget_tokens(Timestamp(6), Timestamp(6))
        .await
        .unwrap();
    assert_eq!(store.token(id).await.unwrap(), None);
    assert!(matches!(
        fixture.verify(&issued.token).await,
        Err(TokenError::Unknown)
    ));
}

#[tokio::test]
async fn the_nodes_own_parts_need_no_entry_in_the_store() {
    let fixture = fixture();
    let (key, channel) = (fixture.verifier.key(), "demo".parse().unwrap());
    let token = issue_internally(key, channel, "part", Duration::from_mins(1)).unwrap();
    let grant = fixture.verify(&token).await.unwrap();
    assert!(grant.allows(TokenKind::Publish, &"demo".parse().unwrap()));
    assert_eq!(grant.holder, "spillway part");
}

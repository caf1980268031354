//! Who is in a chat by a token stays for as long as the token is good.

use tokio::time::sleep;

use super::*;

impl Fixture {
    /// A token to view the channel for a second, and for what the clock's whole seconds make of it.
    async fn brief_token(&self) -> String {
        let lifetime = Some(Duration::from_secs(1));
        let issued = auth::issue(
            self.node.parts.verifier.key(),
            TokenKind::View,
            Some(demo()),
            lifetime,
            String::new(),
        )
        .unwrap();
        self.store.add_token(&issued.details, 100).await.unwrap();
        issued.token
    }

    async fn holds_tokens(&self, tokens: usize) {
        let all = async {
            while self.node.chat.tokens_held() != tokens {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let held = timeout(PATIENCE, all).await;
        assert!(held.is_ok(), "{} are held", self.node.chat.tokens_held());
    }
}

fn hello_with(token: &str) -> Value {
    json!({"type": "hello", "token": token})
}

#[tokio::test]
async fn who_came_with_a_token_goes_when_it_is_revoked() {
    let fixture = fixture().await;
    fixture.add_channel(true).await;
    let (token, token_id) = fixture.token_with_id(TokenKind::View, Some("demo")).await;
    let other = fixture.token(TokenKind::View, Some("demo")).await;
    let mut viewer = Client::join_with(&fixture, Some(&token), hello()).await;
    let mut stays = Client::join_with(&fixture, Some(&other), hello()).await;
    viewer.next("welcome").await;
    stays.next("welcome").await;
    fixture.node.revoke_token(&token_id).await.unwrap();
    assert_eq!(viewer.next("error").await["code"], "unauthorized");
    viewer.is_let_go().await;
    stays.write("c1", "still here");
    assert_eq!(stays.next("message").await["text"], "still here");
    let again = caller(Some(&token));
    let again = fixture.node.join_chat(&demo(), &again).await.err();
    assert!(matches!(again, Some(Refusal::Unauthorized(_))), "{again:?}");
    fixture.holds_tokens(1).await;
}

#[tokio::test]
async fn who_is_in_by_a_token_goes_when_it_expires() {
    let fixture = fixture().await;
    fixture.add_channel(true).await;
    let (brief, lasting) = (
        fixture.brief_token().await,
        fixture.token(TokenKind::View, Some("demo")).await,
    );
    let mut by_header = Client::join_with(&fixture, Some(&brief), hello()).await;
    let mut by_hello = Client::join(&fixture, hello_with(&brief)).await;
    let mut stays = Client::join(&fixture, hello_with(&lasting)).await;
    for client in [&mut by_header, &mut by_hello, &mut stays] {
        client.next("welcome").await;
    }
    sleep(Duration::from_secs(3)).await;
    fixture.node.end_revoked().await;
    for client in [&mut by_header, &mut by_hello] {
        assert_eq!(client.next("error").await["code"], "unauthorized");
        client.is_let_go().await;
    }
    stays.write("c1", "still here");
    assert_eq!(stays.next("message").await["text"], "still here");
}

#[tokio::test]
async fn the_tokens_of_those_who_left_are_forgotten() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    let admin = fixture.token(TokenKind::Admin, None).await;
    // Gone before it's known who said hello.
    drop(Client::join(&fixture, hello_with(&admin)).await);
    let mut ada = Client::join(&fixture, hello_with(&admin)).await;
    ada.next("welcome").await;
    fixture.holds_tokens(1).await;
    fixture.node.delete_channel(&demo()).await.unwrap();
    ada.is_let_go().await;
    drop(ada);
    fixture.holds_tokens(0).await;
}

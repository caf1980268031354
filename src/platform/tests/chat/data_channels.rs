//! Who comes by a data channel, and goes.

use super::*;

#[tokio::test]
async fn who_closes_a_data_channel_is_gone_and_may_open_another() {
    let fixture = fixture().await;
    fixture.broadcast().await;
    let mut ada = Client::join(&fixture, hello()).await;
    ada.sees_chatters(1).await;
    fixture.channel_opened(1, "chat").await;
    fixture.said_on(1, hello()).await;
    ada.sees_chatters(2).await;
    let closed = Event::ChannelClosed {
        session: id(0),
        id: 1,
    };
    fixture.event(closed).await;
    ada.sees_chatters(1).await;
    fixture.channel_opened(3, "chat").await;
    fixture.said_on(3, hello()).await;
    ada.sees_chatters(2).await;
    ada.write("c1", "anybody?");
    ada.next("message").await;
    let said = fixture.media.said.lock().unwrap();
    let welcomes = said.iter().filter(|m| m.text.contains("\"welcome\""));
    assert_eq!(welcomes.map(|m| m.channel).collect::<Vec<_>>(), [1, 3]);
    let heard = said.iter().filter(|m| m.text.contains("anybody?"));
    assert_eq!(heard.map(|m| m.channel).collect::<Vec<_>>(), [3]);
}

#[tokio::test]
async fn the_data_channel_of_who_is_let_go_is_closed() {
    let fixture = fixture().await;
    fixture.broadcast().await;
    let mut ada = Client::join(&fixture, hello()).await;
    let closes = async |channels: &[u16]| {
        let all = async {
            while fixture.media.closed_channels.lock().unwrap().as_slice() != channels {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let closed = timeout(PATIENCE, all).await;
        assert!(closed.is_ok(), "{:?}", fixture.media.closed_channels);
    };
    for stream in [1, 3] {
        fixture.channel_opened(stream, "chat").await;
        let forged = json!({"type": "hello", "token": "forged"});
        fixture.said_on(stream, forged).await;
        closes(&[1, 3][..usize::from(stream / 2 + 1)]).await;
    }
    // It may come back with another, until its token is revoked.
    let (token, token_id) = fixture
        .token_with_id(TokenKind::Moderate, Some("demo"))
        .await;
    fixture.channel_opened(5, "chat").await;
    fixture
        .said_on(5, json!({"type": "hello", "token": token}))
        .await;
    ada.sees_chatters(2).await;
    fixture.node.revoke_token(&token_id).await.unwrap();
    closes(&[1, 3, 5]).await;
    ada.sees_chatters(1).await;
}

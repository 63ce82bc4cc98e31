//! Tokens of every kind for a service, and calls of its admin listener with them.

use reqwest::{Method, Response};
use serde_json::{Value as Json, json};

use super::{Service, wait_until};

/// A token as it was made: its id and its secret.
#[derive(Clone, Debug)]
pub struct Token {
    pub id: String,
    pub secret: String,
}

impl Service {
    /// Makes a token; `more` are further members of the request.
    pub async fn make_token(&self, name: &str, role: &str, more: Json) -> Token {
        let mut wanted = json!({ "name": name, "role": role });
        wanted.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let made = self.order("/v1/tokens", wanted).await;
        assert_eq!(made.status(), 201);
        let made: Json = made.json().await.unwrap();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Token { id: text("id"), secret: text("secret") }
    }

    /// A token that has expired.
    pub async fn expired_token(&self, role: &str) -> Token {
        let token = self.make_token("gone", role, json!({ "expiresAfterMs": 1 })).await;
        wait_until("the token's end", async || {
            self.call(Method::GET, "/v1/status", Some(&token.secret)).await.status() == 401
        })
        .await;
        token
    }

    pub async fn revoked_token(&self, role: &str) -> Token {
        let token = self.make_token("taken-back", role, json!({})).await;
        assert_eq!(
            self.order(&format!("/v1/tokens/{}/revoke", token.id), json!({})).await.status(),
            200
        );
        token
    }

    /// The status code of a reading with this token; 0 where the answer broke off, as the token ended
    /// while the answer was written.
    pub async fn status_as(&self, secret: &str) -> u16 {
        let request = self.client.get(self.admin_url("/v1/status")).bearer_auth(secret);
        request.send().await.map_or(0, |answer| answer.status().as_u16())
    }

    /// A call of the admin listener, without a body.
    pub async fn call(&self, method: Method, path: &str, secret: Option<&str>) -> Response {
        let request = self.client.request(method, self.admin_url(path));
        let request =
            secret.into_iter().fold(request, |request, secret| request.bearer_auth(secret));
        request.send().await.unwrap()
    }

    /// A command with a token; its status and its response.
    pub async fn order_as(&self, secret: &str, path: &str, body: Json) -> (u16, Json) {
        let sent = self
            .client
            .post(self.admin_url(path))
            .bearer_auth(secret)
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        (sent.status().as_u16(), sent.json().await.unwrap())
    }

    /// A command with the data folder's own token.
    pub async fn ordered(&self, path: &str, body: Json) -> (u16, Json) {
        self.order_as(&self.token(), path, body).await
    }

    /// A flag as operators see it.
    pub async fn state(&self, flag: &str) -> Json {
        self.admin(&format!("/v1/flags/{flag}")).await.json().await.unwrap()
    }
}

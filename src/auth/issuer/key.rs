//! One key of our own: it signs tokens (ES256: RFC 7518 §3.4), and seals what a token carries for us
//! alone.
//!
//! Its id is the thumbprint of its public half (RFC 7638), so that the same key has the same id in
//! every file and on every node.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use turnout_api::sessions::Jwk;

/// What the sealing key is derived for; another use of the same secret gets another key.
const SEALS: &[u8] = b"turnout: the context in a token, v1";
/// The bytes of a coordinate on the curve P-256.
const COORDINATE: usize = 32;

/// A key that signs.
pub struct IssuerKey {
    id: Box<str>,
    pair: EcdsaKeyPair,
    sealing: LessSafeKey,
}

/// Why a text gives no key. It repeats nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIssuerKey {
    #[error(
        "a block holds no private key of the curve P-256 (openssl ecparam -name prime256v1 -genkey)"
    )]
    NotP256,
    #[error("the system gives no randomness")]
    NoRandomness,
    #[error("it holds more than {0} keys; remove those below, which signed longest ago")]
    TooMany(usize),
}

impl IssuerKey {
    /// A new key.
    pub fn generate() -> Result<IssuerKey, BadIssuerKey> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        IssuerKey::of(pair.map_err(|_| BadIssuerKey::NoRandomness)?)
    }

    /// Reads a key from DER: PKCS #8 (RFC 5958) or SEC 1 (RFC 5915).
    pub fn from_der(der: &[u8]) -> Result<IssuerKey, BadIssuerKey> {
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der);
        IssuerKey::of(pair.map_err(|_| BadIssuerKey::NotP256)?)
    }

    fn of(pair: EcdsaKeyPair) -> Result<IssuerKey, BadIssuerKey> {
        let secret = pair.private_key().as_be_bytes().map_err(|_| BadIssuerKey::NotP256)?;
        let derived = Salt::new(HKDF_SHA256, &[]).extract(secret.as_ref());
        let sealing = derived
            .expand(&[SEALS], &AES_256_GCM)
            .map(|okm| LessSafeKey::new(UnboundKey::from(okm)))
            .map_err(|_| BadIssuerKey::NotP256)?;
        let (x, y) = coordinates(&pair);
        // The members that RFC 7638 §3.2 names, in its order.
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let id = URL_SAFE_NO_PAD.encode(digest(&SHA256, members.as_bytes())).into();
        Ok(IssuerKey { id, pair, sealing })
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its private half as a block of PEM (PKCS #8), for the file it is kept in.
    pub fn to_pem(&self) -> Option<String> {
        let der = self.pair.to_pkcs8v1().ok()?;
        let text = STANDARD.encode(der);
        let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
        let body: String = lines.map(|line| format!("{line}\n")).collect();
        Some(format!("-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\n"))
    }

    /// Its public half (RFC 7517).
    pub fn to_jwk(&self) -> Jwk {
        let (x, y) = coordinates(&self.pair);
        Jwk {
            kty: "EC".to_owned(),
            crv: "P-256".to_owned(),
            x,
            y,
            kid: self.id.to_string(),
            alg: "ES256".to_owned(),
            usage: "sig".to_owned(),
        }
    }

    /// The signature of a text, as the third part of a token has it; `None` if the system gives no
    /// randomness.
    pub fn sign(&self, text: &[u8]) -> Option<String> {
        let signature = self.pair.sign(&SystemRandom::new(), text).ok()?;
        Some(URL_SAFE_NO_PAD.encode(signature))
    }

    /// Hides a text from everyone but the holders of this key; `of` names what it belongs to.
    pub fn seal(&self, text: &[u8], of: &str) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).ok()?;
        let mut sealed = text.to_vec();
        self.sealing
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(of),
                &mut sealed,
            )
            .ok()?;
        Some(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    /// The text that was hidden, if this key hid it for the same thing.
    pub fn open(&self, sealed: &str, of: &str) -> Option<Vec<u8>> {
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        self.sealing.open_in_place(nonce, Aad::from(of), text).ok().map(|text| text.to_vec())
    }
}

/// The public point, in base64url.
fn coordinates(pair: &EcdsaKeyPair) -> (String, String) {
    // An uncompressed point: the byte 4, and the two coordinates.
    let (x, y) = pair.public_key().as_ref()[1..].split_at(COORDINATE);
    (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y))
}

impl fmt::Debug for IssuerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuerKey({})", self.id)
    }
}

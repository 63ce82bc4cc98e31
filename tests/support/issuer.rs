//! An application that signs session tokens: its keys, and tokens good, bad and strange.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
};
use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value as Json, json};
use turnout::auth::{Algorithm, EmailProof, ExpectedClaims, TokenKind};

pub const ISSUER: &str = "https://issuer.example.com/";
pub const AUDIENCE: &str = "turnout";

pub struct Issuer {
    pub algorithm: Algorithm,
    pub key_id: String,
    /// What its tokens are for.
    pub kind: TokenKind,
    /// Further claims of its tokens.
    pub further: Json,
    signer: Signer,
    /// The public key, as a JWK.
    pub jwk: Json,
    /// Everything public about the key, in every form that could be mistaken for a secret.
    pub public_forms: Vec<Vec<u8>>,
    /// As PEM; empty for a shared secret.
    pub pem: String,
}

enum Signer {
    Hmac(Vec<u8>),
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

pub fn pins(algorithm: Algorithm) -> ExpectedClaims {
    ExpectedClaims {
        algorithm,
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        email: EmailProof::Assumed,
        kind: TokenKind::Application,
    }
}

/// Claims that hold for an hour.
pub fn claims(subject: &str) -> Json {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now() - 10, "exp": now() + 3600 })
}

impl Issuer {
    pub fn new(algorithm: Algorithm, key_id: &'static str) -> Issuer {
        let (signer, mut jwk, der) = match algorithm {
            Algorithm::Hs256 => {
                let mut secret = vec![0; 32];
                rand::fill(&mut secret).unwrap();
                let jwk = json!({ "kty": "oct", "k": base64(&secret) });
                (Signer::Hmac(secret), jwk, Vec::new())
            }
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
                let components = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                let jwk =
                    json!({ "kty": "RSA", "n": base64(components.n), "e": base64(components.e) });
                let der = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der>::as_der(pair.public_key())
                    .unwrap()
                    .as_ref()
                    .to_vec();
                (Signer::Rsa(pair), jwk, der)
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
                let point = pair.public_key().as_ref();
                let jwk = json!({ "kty": "EC", "crv": "P-256", "x": base64(&point[1..33]), "y": base64(&point[33..]) });
                let der = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der>::as_der(pair.public_key())
                    .unwrap()
                    .as_ref()
                    .to_vec();
                (Signer::Ec(pair), jwk, der)
            }
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::generate().unwrap();
                let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": base64(pair.public_key().as_ref()) });
                let der = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der>::as_der(pair.public_key())
                    .unwrap()
                    .as_ref()
                    .to_vec();
                (Signer::Ed(pair), jwk, der)
            }
        };
        jwk["kid"] = key_id.into();
        jwk["alg"] = algorithm.as_str().into();
        let wrapped: Vec<u8> =
            STANDARD.encode(&der).into_bytes().chunks(64).collect::<Vec<_>>().join(&b'\n');
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            String::from_utf8(wrapped).unwrap()
        );
        let public_forms = vec![
            pem.clone().into_bytes(),
            pem.trim_end().as_bytes().to_vec(),
            der,
            json!({ "keys": [jwk] }).to_string().into_bytes(),
            jwk["n"].as_str().or(jwk["x"].as_str()).unwrap_or_default().as_bytes().to_vec(),
            key_id.as_bytes().to_vec(),
        ];
        let (key_id, kind) = (key_id.to_owned(), TokenKind::Application);
        let further = json!({});
        Issuer { algorithm, key_id, kind, further, signer, jwk, public_forms, pem }
    }

    /// A key that signs tokens of our own.
    pub fn own(kind: TokenKind) -> Issuer {
        let mut issuer = Issuer::new(Algorithm::Es256, "own");
        let (x, y) = (&issuer.jwk["x"], &issuer.jwk["y"]);
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":{x},"y":{y}}}"#);
        issuer.key_id = base64(digest(&SHA256, members.as_bytes()));
        issuer.jwk["kid"] = issuer.key_id.clone().into();
        issuer.kind = kind;
        issuer
    }

    /// The private half, as PEM.
    pub fn private_pem(&self) -> String {
        let Signer::Ec(pair) = &self.signer else { panic!("only keys of P-256 are given away") };
        let text = STANDARD.encode(pair.to_pkcs8v1().unwrap());
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
    }

    /// Claims that hold for an hour.
    pub fn claims(&self, subject: &str) -> Json {
        let mut claims = claims(subject);
        if self.kind != TokenKind::Application {
            claims["iss"] = turnout::auth::ISSUER.into();
            claims["aud"] = self.kind.audience().into();
        }
        for (name, value) in self.further.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    /// What the issuer publishes, alone or with others.
    pub fn jwks(&self) -> String {
        json!({ "keys": [self.jwk] }).to_string()
    }

    pub fn header(&self) -> Json {
        json!({ "alg": self.algorithm.as_str(), "kid": self.key_id, "typ": self.kind.header() })
    }

    /// A good token of this user.
    pub fn token(&self, subject: &str) -> String {
        self.sign(&self.header(), &self.claims(subject))
    }

    pub fn sign(&self, header: &Json, claims: &Json) -> String {
        self.sign_text(header.to_string(), claims.to_string())
    }

    /// Signs the given texts, well formed or not.
    pub fn sign_text(&self, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
        self.sign_parts(&base64(header), &base64(claims))
    }

    pub fn sign_parts(&self, header: &str, claims: &str) -> String {
        let message = format!("{header}.{claims}");
        let signature = self.signature(message.as_bytes());
        format!("{message}.{}", base64(signature))
    }

    pub fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.signer {
            Signer::Hmac(secret) => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
            }
            Signer::Rsa(pair) => self.rsa(pair, &RSA_PKCS1_SHA256, message),
            Signer::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Signer::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A valid signature by the same key, with another algorithm of the family than the pinned one;
    /// empty where there is none.
    pub fn sibling(&self, name: &str, message: &[u8]) -> Vec<u8> {
        use aws_lc_rs::signature::{RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256};
        match (&self.signer, name) {
            (Signer::Hmac(secret), "HS384") => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA384, secret), message).as_ref().to_vec()
            }
            (Signer::Hmac(secret), _) => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, secret), message).as_ref().to_vec()
            }
            (Signer::Rsa(pair), "RS384") => self.rsa(pair, &RSA_PKCS1_SHA384, message),
            (Signer::Rsa(pair), "PS256") => self.rsa(pair, &RSA_PSS_SHA256, message),
            (Signer::Rsa(pair), _) => self.rsa(pair, &RSA_PKCS1_SHA512, message),
            _ => self.signature(message),
        }
    }

    fn rsa(&self, pair: &RsaKeyPair, padding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(padding, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    }
}

pub fn with(object: &Json, name: &str, value: Json) -> Json {
    let mut object = object.clone();
    object[name] = value;
    object
}

pub fn without(object: &Json, name: &str) -> Json {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove(name);
    object
}

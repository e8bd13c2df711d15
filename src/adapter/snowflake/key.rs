//! Private keys in every form in which they come, and the tokens that they sign.

use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rsa::RsaPrivateKey;
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _};
use rsa::pkcs8::{DecodePrivateKey as _, EncodePublicKey as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// How long a token is valid: long enough for a slow login, of no use to whoever finds it later.
const LIFE: TimeDelta = TimeDelta::minutes(2);

/// A user's private key.
#[derive(Clone)]
pub struct PrivateKey {
    key: EncodingKey,
    /// The public key's fingerprint, as `desc user` shows it.
    fingerprint: String,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PrivateKey({})", self.fingerprint)
    }
}

/// What a token claims.
#[derive(Serialize)]
struct Claims {
    iss: String,
    sub: String,
    iat: i64,
    exp: i64,
}

impl PrivateKey {
    /// Reads a key: PEM (PKCS#8, also encrypted, or PKCS#1), or the base64 of DER. The error says what is wrong with
    /// it, never what it is.
    pub fn read(text: &str, passphrase: Option<&Secret>) -> Result<Self, String> {
        let key = if pem_label(text).is_some() {
            from_pem(text.trim(), passphrase)?
        } else {
            let packed: String = text.split_whitespace().collect();
            let der = STANDARD.decode(packed).map_err(|_| "it is neither PEM nor base64 of DER".to_owned())?;
            from_der(&der, passphrase)?
        };
        let words = |_| "it cannot be encoded".to_owned();
        let public = key.to_public_key().to_public_key_der().map_err(|_| "it has no public part".to_owned())?;
        let fingerprint = format!("SHA256:{}", STANDARD.encode(Sha256::digest(public.as_bytes())));
        let der = key.to_pkcs1_der().map_err(words)?;
        Ok(Self { key: EncodingKey::from_rsa_der(der.as_bytes()), fingerprint })
    }

    /// A token that says who logs in where, signed now.
    pub(super) fn token(&self, account: &str, user: &str, now: DateTime<Utc>) -> Result<Secret, String> {
        // The region is no part of the name that the server compares.
        let account = account.split('.').next().unwrap_or_default().to_uppercase();
        let subject = format!("{account}.{}", user.to_uppercase());
        let claims = Claims {
            iss: format!("{subject}.{}", self.fingerprint),
            sub: subject,
            iat: now.timestamp(),
            exp: (now + LIFE).timestamp(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &self.key)
            .map(Secret::new)
            .map_err(|error| format!("the private key cannot sign: {error}"))
    }
}

/// `PRIVATE KEY` of `-----BEGIN PRIVATE KEY-----`.
fn pem_label(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    Some(rest.split_once("-----")?.0)
}

fn from_pem(pem: &str, passphrase: Option<&Secret>) -> Result<RsaPrivateKey, String> {
    match pem_label(pem).unwrap_or_default() {
        "ENCRYPTED PRIVATE KEY" => {
            let passphrase =
                passphrase.ok_or("it is encrypted, and there is no `private_key_passphrase`".to_owned())?;
            RsaPrivateKey::from_pkcs8_encrypted_pem(pem, passphrase.expose().as_bytes())
                .map_err(|_| "it cannot be decrypted with `private_key_passphrase`".to_owned())
        }
        "PRIVATE KEY" => RsaPrivateKey::from_pkcs8_pem(pem).map_err(|_| "it is no RSA key in PKCS#8".to_owned()),
        "RSA PRIVATE KEY" if pem.contains("Proc-Type:") => {
            Err("it is encrypted in the old form of OpenSSL: convert it with `openssl pkcs8 -topk8 -in key.pem`"
                .to_owned())
        }
        "RSA PRIVATE KEY" => RsaPrivateKey::from_pkcs1_pem(pem).map_err(|_| "it is no RSA key in PKCS#1".to_owned()),
        other => Err(format!("it is a `{other}`, not the private key of an RSA pair")),
    }
}

fn from_der(der: &[u8], passphrase: Option<&Secret>) -> Result<RsaPrivateKey, String> {
    if let Ok(key) = RsaPrivateKey::from_pkcs8_der(der) {
        return Ok(key);
    }
    if let Ok(key) = RsaPrivateKey::from_pkcs1_der(der) {
        return Ok(key);
    }
    match passphrase {
        Some(passphrase) => RsaPrivateKey::from_pkcs8_encrypted_der(der, passphrase.expose().as_bytes())
            .map_err(|_| "it is no RSA key, or `private_key_passphrase` does not open it".to_owned()),
        None => Err("it is no RSA key, or it is encrypted and there is no `private_key_passphrase`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{DecodingKey, Validation, decode};
    use rsa::pkcs1::LineEnding;
    use rsa::pkcs8::EncodePrivateKey as _;
    use serde_json::Value as Json;

    fn pair(bits: usize) -> RsaPrivateKey {
        RsaPrivateKey::new(&mut rsa::rand_core::OsRng, bits).expect("a key")
    }

    #[test]
    fn every_form_of_a_key_gives_the_same_token() {
        // Smaller keys are refused when they are to sign.
        let pair = pair(2048);
        let word = Secret::new("open sesame");
        let der = pair.to_pkcs8_der().expect("DER");
        let locked = pair.to_pkcs8_encrypted_der(&mut rsa::rand_core::OsRng, word.expose()).expect("locked DER");
        let forms = [
            pair.to_pkcs8_pem(LineEnding::LF).expect("PEM").to_string(),
            pair.to_pkcs1_pem(LineEnding::CRLF).expect("PEM").to_string(),
            pair.to_pkcs8_encrypted_pem(&mut rsa::rand_core::OsRng, word.expose(), LineEnding::LF)
                .expect("PEM")
                .to_string(),
            STANDARD.encode(der.as_bytes()),
            STANDARD.encode(pair.to_pkcs1_der().expect("DER").as_bytes()),
            STANDARD.encode(locked.as_bytes()),
        ];
        let now = DateTime::from_timestamp(1_700_000_000, 0).expect("a time");
        let tokens: Vec<Secret> = forms
            .iter()
            .map(|form| {
                let key = PrivateKey::read(form, Some(&word)).expect("a key");
                key.token("xy12345.eu-west-1", "me@corp", now).expect("a token")
            })
            .collect();
        assert!(tokens.iter().all(|token| token == &tokens[0]));
        let public = pair.to_public_key().to_public_key_der().expect("a public key");
        let fingerprint = STANDARD.encode(Sha256::digest(public.as_bytes()));
        let opened = DecodingKey::from_rsa_der(
            rsa::pkcs1::EncodeRsaPublicKey::to_pkcs1_der(&pair.to_public_key()).expect("DER").as_bytes(),
        );
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        let claims = decode::<Json>(tokens[0].expose(), &opened, &validation).expect("a valid signature").claims;
        assert_eq!(claims["sub"], "XY12345.ME@CORP");
        assert_eq!(claims["iss"], format!("XY12345.ME@CORP.SHA256:{fingerprint}"));
        assert_eq!((claims["iat"].as_i64(), claims["exp"].as_i64()), (Some(1_700_000_000), Some(1_700_000_120)));
    }

    #[test]
    fn a_key_that_cannot_be_used_is_described_and_not_shown() {
        let pair = pair(512);
        let word = Secret::new("right");
        let locked = pair
            .to_pkcs8_encrypted_pem(&mut rsa::rand_core::OsRng, word.expose(), LineEnding::LF)
            .expect("PEM")
            .to_string();
        let why = |text: &str, passphrase: Option<&Secret>| PrivateKey::read(text, passphrase).expect_err("no key");
        assert!(why(&locked, None).contains("no `private_key_passphrase`"));
        assert!(why(&locked, Some(&Secret::new("wrong"))).contains("cannot be decrypted"));
        assert!(why("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", None).contains("`PUBLIC KEY`"));
        assert!(why("not base64!", None).contains("neither PEM nor base64"));
        assert!(why("AAAA", None).contains("no RSA key"));
    }
}

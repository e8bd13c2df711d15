//! Addresses of packages as they may be shown: without what lets someone in.

use crate::secret::{MASK, Secret};

/// Secrets shorter than this would be masked wherever their letters stand.
const SHORTEST_SECRET: usize = 4;

/// The address with a mask in place of user and password, and without its query, which may hold a token.
pub fn shown_address(address: &str) -> String {
    let Some(parts) = Parts::of(address) else { return address.to_owned() };
    let end = parts.rest.find(['?', '#']).filter(|_| parts.is_web).unwrap_or(parts.rest.len());
    let user = match parts.user {
        Some(user) if parts.is_web || user.contains(':') => format!("{MASK}@"),
        Some(user) => format!("{user}@"),
        None => String::new(),
    };
    format!("{}://{user}{}", parts.scheme, &parts.rest[..end])
}

/// What in an address lets someone in: the password, or the user's name where a token stands in its place.
pub fn address_secrets(address: &str) -> Vec<Secret> {
    let Some(Parts { user: Some(user), is_web, .. }) = Parts::of(address) else { return vec![] };
    let secret = match user.split_once(':') {
        Some((_, password)) => password,
        None if is_web => user,
        None => return vec![],
    };
    Some(secret).filter(|secret| secret.len() >= SHORTEST_SECRET).map(Secret::new).into_iter().collect()
}

struct Parts<'a> {
    scheme: &'a str,
    user: Option<&'a str>,
    rest: &'a str,
    is_web: bool,
}

impl<'a> Parts<'a> {
    fn of(address: &'a str) -> Option<Self> {
        let (scheme, rest) = address.split_once("://")?;
        let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (user, rest) = match rest[..host_end].rfind('@') {
            Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
            None => (None, rest),
        };
        let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        Some(Self { scheme, user, rest, is_web })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lets_someone_in_is_not_shown() {
        for (address, shown, secret) in [
            ("https://github.com/a/b.git", "https://github.com/a/b.git", None),
            ("https://me:tok3n@host/a.git", "https://*****@host/a.git", Some("tok3n")),
            ("https://ghp_abc@host/a.git", "https://*****@host/a.git", Some("ghp_abc")),
            ("https://h/a.tar.gz?X-Signature=abc", "https://h/a.tar.gz", None),
            ("ssh://git@host:22/a.git", "ssh://git@host:22/a.git", None),
            ("git@github.com:a/b.git", "git@github.com:a/b.git", None),
            ("file:///srv/a@b/c.git", "file:///srv/a@b/c.git", None),
            ("../here", "../here", None),
        ] {
            assert_eq!(shown_address(address), shown);
            let found = address_secrets(address);
            assert_eq!(found.first().map(Secret::expose), secret, "{address}");
        }
    }
}

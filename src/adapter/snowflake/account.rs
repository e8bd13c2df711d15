//! The forms in which an account is named, and the host that follows from it.

/// A Snowflake account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name that a login sends, without region and cloud: `xy12345`, `myorg-production`.
    pub name: String,
    /// The host that serves it.
    pub host: String,
}

impl Account {
    /// Reads `xy12345`, `xy12345.eu-central-1.aws`, `myorg-my_account`, or the address of a login page. The error says
    /// what is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let without_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
        let host = without_scheme.split(['/', '?', '#', ':']).next().unwrap_or_default().to_ascii_lowercase();
        let (identifier, domain) = match host.split_once(".snowflakecomputing.") {
            Some((identifier, domain)) => (identifier, Some(domain)),
            None => (host.as_str(), None),
        };
        let is_part = |part: &str| {
            !part.is_empty() && part.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
        };
        if !identifier.split('.').all(is_part) {
            return Err(format!("`{text}` is not the name of an account"));
        }
        // Host names have no underscores.
        let identifier = identifier.replace('_', "-");
        let (first, region) = identifier.split_once('.').unwrap_or((&identifier, ""));
        // `name-suffix.global` is a name with the suffix of its connection.
        let name = if region == "global" { first.rsplit_once('-').map_or(first, |(name, _)| name) } else { first };
        let domain = domain.unwrap_or(if region.starts_with("cn-") { "cn" } else { "com" });
        Ok(Self { name: name.to_owned(), host: format!("{identifier}.snowflakecomputing.{domain}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, String) {
        let account = Account::parse(text).expect("an account");
        (account.name, account.host)
    }

    #[test]
    fn every_form_gives_name_and_host() {
        let pair = |name: &str, host: &str| (name.to_owned(), host.to_owned());
        assert_eq!(parsed("xy12345"), pair("xy12345", "xy12345.snowflakecomputing.com"));
        assert_eq!(
            parsed("XY12345.eu-central-1.aws"),
            pair("xy12345", "xy12345.eu-central-1.aws.snowflakecomputing.com")
        );
        assert_eq!(parsed("myorg-my_account"), pair("myorg-my-account", "myorg-my-account.snowflakecomputing.com"));
        assert_eq!(
            parsed("https://xy12345.privatelink.snowflakecomputing.com/console"),
            pair("xy12345", "xy12345.privatelink.snowflakecomputing.com")
        );
        assert_eq!(parsed("ab123.cn-north-1.aws").1, "ab123.cn-north-1.aws.snowflakecomputing.cn");
        assert_eq!(parsed("prod-a1b2.global"), pair("prod", "prod-a1b2.global.snowflakecomputing.com"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "my account", "a..b", "x'y", ".snowflakecomputing.com"] {
            assert!(Account::parse(text).is_err(), "{text}");
        }
    }
}

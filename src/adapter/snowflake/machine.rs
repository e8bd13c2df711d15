//! What the machine offers beside the network: a place to keep tokens, and a browser.

use crate::secret::Secret;
use std::sync::Arc;
use url::Url;

/// The service under which tokens are kept.
const SERVICE: &str = "strata-snowflake";

/// What the machine offers.
#[derive(Clone)]
pub struct Machine {
    /// Where tokens are kept from one run to the next.
    pub store: Arc<dyn TokenStore>,
    /// Shows a page to the user; the error says why it cannot.
    pub show_page: Arc<ShowPage>,
}

/// Shows a page to the user.
pub type ShowPage = dyn Fn(&Url) -> Result<(), String> + Send + Sync;

/// Keeps tokens by name. A machine without such a place keeps nothing, and that is no error.
pub trait TokenStore: Send + Sync {
    /// The token of a name.
    fn read(&self, name: &str) -> Option<Secret>;
    /// Keeps a token.
    fn write(&self, name: &str, token: &Secret);
    /// Forgets a token.
    fn remove(&self, name: &str);
}

impl Default for Machine {
    fn default() -> Self {
        let show_page = |url: &Url| webbrowser::open(url.as_str()).map_err(|error| error.to_string());
        Self { store: Arc::new(Keyring), show_page: Arc::new(show_page) }
    }
}

/// The keyring of the system.
struct Keyring;

impl Keyring {
    fn entry(name: &str) -> Option<keyring::Entry> {
        keyring::Entry::new(SERVICE, name).ok()
    }
}

impl TokenStore for Keyring {
    fn read(&self, name: &str) -> Option<Secret> {
        Self::entry(name)?.get_password().ok().map(Secret::new)
    }

    fn write(&self, name: &str, token: &Secret) {
        if let Some(entry) = Self::entry(name) {
            // Without a keyring the user is asked again the next time.
            let _ = entry.set_password(token.expose());
        }
    }

    fn remove(&self, name: &str) {
        if let Some(entry) = Self::entry(name) {
            let _ = entry.delete_credential();
        }
    }
}

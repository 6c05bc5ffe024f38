//! The proxy that the environment names for an address, as curl reads it.

use url::{Host, Url};

use super::hub::Trouble;

/// The proxy for this address: `https_proxy` or `http_proxy`, by its scheme, else `all_proxy`, unless `no_proxy` names the
/// host. Capital letters count too.
///
/// # Errors
/// If the variable holds no proxy's address. Its value may hold a password and is not shown.
pub(super) fn of(url: &Url) -> Result<Option<ureq::Proxy>, Trouble> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let either = |name: &str| {
        let capital = name.to_uppercase();
        set(name).map(|value| (name.to_owned(), value)).or_else(|| set(&capital).map(|value| (capital, value)))
    };
    let excluded = either("no_proxy").is_some_and(|(_, list)| is_excluded(&list, url));
    let found = either(if url.scheme() == "https" { "https_proxy" } else { "http_proxy" });
    let Some((name, value)) = found.or_else(|| either("all_proxy")).filter(|_| !excluded) else { return Ok(None) };
    let proxy = ureq::Proxy::new(value.trim()).ok().filter(|proxy| proxy.protocol().to_string().starts_with("HTTP"));
    let problem = format!("{name} in the environment should be a proxy's address: http://[user:password@]host:port");
    proxy.map(Some).ok_or(Trouble::Setting { problem })
}

/// Whether a `no_proxy` list names the host: `*`, or a host or domain (`example.org` and `.example.org` alike, with all below
/// it), with or without a port.
fn is_excluded(list: &str, url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_lowercase();
    let is_name = matches!(url.host(), Some(Host::Domain(_)));
    list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.to_lowercase();
        let (name, port) = match entry.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') => (name.to_owned(), port.parse::<u16>().ok()),
            _ => (entry.trim_matches(['[', ']']).to_owned(), None),
        };
        let domain = name.trim_start_matches("*.").trim_start_matches('.');
        let below = is_name && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        name == "*" || ((host == domain || below) && port.is_none_or(|port| url.port_or_known_default() == Some(port)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_is_read_as_curl_reads_it() {
        let excluded = |list: &str, url: &str| is_excluded(list, &Url::parse(url).expect("an address"));
        for list in ["*", "hub.example", ".example", "example", "*.example", "a, hub.example", "hub.example:443"] {
            assert!(excluded(list, "https://hub.example/x"), "{list}");
        }
        for list in ["", "ub.example", "other.example", "hub.example:80", "hub.example.org"] {
            assert!(!excluded(list, "https://hub.example/x"), "{list}");
        }
        assert!(excluded("127.0.0.1", "http://127.0.0.1:9000/x") && excluded("[::1]", "http://[::1]:9000/x"));
        assert!(!excluded("0.0.1", "http://127.0.0.1/x"), "an address has no domains above it");
    }
}

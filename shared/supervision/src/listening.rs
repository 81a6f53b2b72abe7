//! What to tell of an address that cannot be listened on.

use std::{io, net::SocketAddr};

/// Why a worker cannot listen, with what helps against that, which depends on the kind of error. `section` is that of the settings which has the
/// address.
pub fn cannot_listen(address: SocketAddr, section: &str, error: io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => "somebody else does: free it, or",
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address: take one of its own, 127.0.0.1 or 0.0.0.0 for all of them;"
        }
        io::ErrorKind::PermissionDenied => "this user may not, as of ports below 1024: allow it, or",
        _ => "",
    };
    let space = if advice.is_empty() { "" } else { " " };
    let variable = section.to_uppercase();
    anyhow::Error::new(error).context(format!(
        "cannot listen on {address}; {advice}{space}set [{section}] address (variable UMBEL__{variable}__ADDRESS)"
    ))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn told(address: &str) -> String {
        let address = address.parse().unwrap();
        format!("{:#}", cannot_listen(address, "gateway", TcpListener::bind(address).unwrap_err()))
    }

    /// What a port in use wants is another one than an address wants that is not this machine's.
    #[test]
    fn advice_is_by_the_kind_of_error() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let text = told(&taken.local_addr().unwrap().to_string());
        assert!(text.contains("free it") && text.contains("UMBEL__GATEWAY__ADDRESS"), "{text}");
        // An address for documentation, which no machine has.
        let text = told("192.0.2.1:4000");
        assert!(text.contains("no such address") && !text.contains("free it"), "{text}");
        assert!(text.contains("set [gateway] address"), "{text}");
    }
}

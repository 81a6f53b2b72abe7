//! TLS of the link: both sides show a certificate of one authority, and what follows is encrypted.

use std::{io, path::Path, sync::Arc};

use anyhow::{Context, Result, bail};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::settings::LinkSettings;

/// A connection, encrypted or not.
pub(crate) type Stream = Box<dyn Io>;

/// What a connection can do.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Io for S {}

/// Encrypts connections, if the settings say so.
#[derive(Clone, Default)]
pub(crate) struct Tls(Option<(TlsConnector, TlsAcceptor)>);

impl Tls {
    /// Reads what the settings name.
    ///
    /// # Errors
    /// When only a part is set, or a file does not hold what it should; the message names the setting.
    pub(crate) fn load(settings: &LinkSettings) -> Result<Self> {
        let LinkSettings { tls_certificate, tls_key, tls_authority, .. } = settings;
        let set = [tls_certificate, tls_key, tls_authority].map(|file| !file.is_empty());
        match set {
            [false, false, false] => return Ok(Self::default()),
            [true, true, true] => {}
            _ => bail!(
                "[link] tls_certificate, tls_key and tls_authority belong together: set all three, or none of them"
            ),
        }
        let chain = read(tls_certificate, "tls_certificate")?;
        let mut roots = RootCertStore::empty();
        for authority in read(tls_authority, "tls_authority")? {
            roots.add(authority).with_context(|| named(tls_authority, "tls_authority"))?;
        }
        let key = || {
            let key = PrivateKeyDer::from_pem_file(Path::new(tls_key.as_str()));
            key.with_context(|| named(tls_key, "tls_key"))
        };
        let (provider, roots) = (Arc::new(ring::default_provider()), Arc::new(roots));
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(Arc::clone(&roots))
            .with_client_auth_cert(chain.clone(), key()?)
            .with_context(|| named(tls_certificate, "tls_certificate"))?;
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build()?;
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key()?)
            .with_context(|| named(tls_certificate, "tls_certificate"))?;
        Ok(Self(Some((Arc::new(client).into(), Arc::new(server).into()))))
    }

    /// Encrypts a connection to that host and port, whose certificate must be for the host.
    pub(crate) async fn connect(&self, stream: TcpStream, address: &str) -> io::Result<Stream> {
        let Some((connector, _)) = &self.0 else { return Ok(Box::new(stream)) };
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(Box::new(connector.connect(name, stream).await?))
    }

    /// Encrypts a connection that somebody has made to this process.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<Stream> {
        match &self.0 {
            Some((_, acceptor)) => Ok(Box::new(acceptor.accept(stream).await?)),
            None => Ok(Box::new(stream)),
        }
    }
}

/// The certificates in a file, of which there is one at least.
fn read(file: &str, key: &str) -> Result<Vec<CertificateDer<'static>>> {
    let found =
        CertificateDer::pem_file_iter(Path::new(file)).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.with_context(|| named(file, key))?;
    if found.is_empty() {
        bail!("{}: there is no certificate in it", named(file, key));
    }
    Ok(found)
}

fn named(file: &str, key: &str) -> String {
    format!("{file}, named by [link] {key}, cannot be used")
}

//! An HTTP client that does no more than the bench needs: one request at a time, on a connection that is kept.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// How long an answer may take before something is wrong: longer than the gateway's own deadline.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of an answer's body at most: far more than a page has.
const BODY_MAX: usize = 16 * 1024 * 1024;

/// A connection to a gateway.
pub(super) struct Connection {
    stream: BufReader<TcpStream>,
    host: String,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Request<'a> {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) token: Option<&'a str>,
    /// JSON, or nothing.
    pub(super) body: String,
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("the gateway takes no connection")?;
        // What is sent is whole: there is nothing to wait for.
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), host: address.to_string() })
    }

    /// Sends a request and waits for all of its answer, which must have this status.
    pub(super) async fn expect(&mut self, status: u16, request: &Request<'_>) -> anyhow::Result<Answer> {
        let (method, path) = (request.method, &request.path);
        let answered = timeout(PATIENCE, self.exchange(request)).await;
        let answer = answered
            .with_context(|| format!("{method} {path} was not answered in time"))?
            .with_context(|| format!("{method} {path}"))?;
        let body = || String::from_utf8_lossy(&answer.body).into_owned();
        ensure!(answer.status == status, "{method} {path} was answered {}: {}", answer.status, body());
        Ok(answer)
    }

    async fn exchange(
        &mut self,
        Request { method, path, token, body }: &Request<'_>,
    ) -> anyhow::Result<Answer> {
        let authorization =
            token.map_or_else(String::new, |token| format!("Authorization: Token {token}\r\n"));
        let (host, length) = (&self.host, body.len());
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{authorization}Content-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(text.as_bytes()).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> anyhow::Result<Answer> {
        let status = self.line().await?;
        let status = status.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.context("an answer begins with a status")?;
        let mut length = 0;
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').context("a header has a name")?;
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                bail!("an answer of unknown length is not read here");
            }
        }
        ensure!(length <= BODY_MAX, "an answer of {length} bytes is too large");
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(Answer { status, body })
    }

    async fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        ensure!(self.stream.read_line(&mut line).await? > 0, "the gateway closed the connection");
        line.truncate(line.trim_end().len());
        Ok(line)
    }
}

impl Request<'_> {
    /// What anybody may ask.
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), token: None, body: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one connection with these bytes, whatever it says.
    async fn answered(bytes: &'static str) -> anyhow::Result<Vec<Answer>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = actix::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(bytes.as_bytes()).await.unwrap();
            stream
        });
        let mut connection = Connection::open(address).await?;
        let first = connection.expect(200, &Request::get("/one")).await?;
        let second = connection.expect(204, &Request::get("/two")).await?;
        drop(server.await?);
        Ok(vec![first, second])
    }

    #[test]
    fn answers_come_one_after_the_other_on_one_connection() {
        actix::System::new().block_on(async {
            let two = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx: y\r\n\r\n{}HTTP/1.1 204 No Content\r\n\r\n";
            let [one, other] = &answered(two).await.unwrap()[..] else { unreachable!("two were asked for") };
            assert_eq!((one.body.as_slice(), other.status), (b"{}".as_slice(), 204));
        });
    }

    #[test]
    fn another_status_is_an_error_that_says_what_came() {
        actix::System::new().block_on(async {
            let busy = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy";
            let error = answered(busy).await.unwrap_err().to_string();
            assert_eq!(error, "GET /one was answered 503: busy");
        });
    }
}

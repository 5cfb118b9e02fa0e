//! A server that does with each connection what it is told.

use std::future::Future;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Serves every connection with this function, until the test ends; gives the URL.
pub(crate) async fn serve<F, Fut>(each: F) -> String
where
    F: Fn(Connection) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(each(Connection { stream }));
        }
    });
    url
}

/// The URL of a port that nobody listens on, for as long as the socket is kept.
pub(crate) fn nobody() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/", socket.local_addr().unwrap());
    (socket, url)
}

/// One connection to the server.
pub(crate) struct Connection {
    stream: TcpStream,
}

impl Connection {
    /// Waits until the first bytes are there, and leaves them there.
    pub(crate) async fn sees_bytes(&self) {
        self.stream.peek(&mut [0]).await.unwrap();
    }

    pub(crate) async fn reads(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut read = vec![0; count];
        self.stream.read_exact(&mut read).await.ok()?;
        Some(read)
    }

    pub(crate) async fn writes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Closes in good order: what was written arrives, then the end.
    pub(crate) async fn closes(mut self) {
        let _ = self.stream.shutdown().await;
        // A socket that is dropped with unread bytes sends a reset.
        while self.stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
    }

    /// Breaks the connection off.
    pub(crate) fn resets(self) {
        self.stream.set_zero_linger().unwrap();
    }

    /// Keeps the connection open and says nothing, until the client closes it.
    pub(crate) async fn says_nothing(mut self) {
        while self.stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
    }
}

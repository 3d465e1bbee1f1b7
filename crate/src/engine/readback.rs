//! Words on their way back from the device.

use std::pin::Pin;

use crate::engine::Engine;
use crate::ops::words::read_words;
use hearth_modelfile::error::Result;

/// A read-back of sampled ids.
pub(crate) type Read = Pin<Box<dyn Future<Output = Result<Vec<u32>>>>>;

/// A read-back that is on its way: a first poll puts the copy on the queue, right behind the steps it reads.
pub(crate) fn started(read: impl Future<Output = Result<Vec<u32>>> + 'static) -> Read {
    let mut read: Read = Box::pin(read);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match read.as_mut().poll(&mut context) {
        std::task::Poll::Ready(words) => Box::pin(std::future::ready(words)),
        std::task::Poll::Pending => read,
    }
}

impl Engine {
    /// Starts reading words of the state back.
    pub(crate) fn read_back(&mut self, at: usize, n: usize) -> Result<Read> {
        let state = self.state()?;
        self.stats.readbacks += 1;
        self.stats.bytes_read += 4 * n as u64;
        Ok(started(async move { read_words(&state, at, n).await }))
    }
}

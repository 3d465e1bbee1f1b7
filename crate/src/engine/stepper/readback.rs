//! Words on their way back from the device.

use std::pin::Pin;

use hearth_modelfile::error::Result;

/// A read-back of words.
pub(crate) type Read = Pin<Box<dyn Future<Output = Result<Vec<u32>>>>>;

/// Starts a read-back: a first poll puts the copy on the queue, right after the steps that it reads from.
pub(crate) fn started(read: impl Future<Output = Result<Vec<u32>>> + 'static) -> Read {
    let mut read: Read = Box::pin(read);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match read.as_mut().poll(&mut context) {
        std::task::Poll::Ready(words) => Box::pin(std::future::ready(words)),
        std::task::Poll::Pending => read,
    }
}

//! Values that ops write in place.

/// A value that is handed over during a write.
///
/// On the CPU a tensor with a single owner is written in place, while one with two owners is copied. Holders of such
/// tensors therefore give them up to the op that writes them.
pub struct InPlace<T>(Option<T>);

impl<T> InPlace<T> {
    /// Holds `value`.
    pub fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// Returns the value for reading.
    pub fn get(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            // A panic within `update` ends the engine as a whole.
            None => unreachable!("`update` puts the value back"),
        }
    }

    /// Consumes the holder and returns the value.
    pub fn into_inner(self) -> T {
        match self.0 {
            Some(value) => value,
            None => unreachable!("`update` puts the value back"),
        }
    }

    /// Replaces the value with the result of `write`.
    pub fn update(&mut self, write: impl FnOnce(T) -> T) {
        self.update_with(|value| (write(value), ()));
    }

    /// Replaces the value like [`InPlace::update`] and returns the second result of `write`.
    pub fn update_with<R>(&mut self, write: impl FnOnce(T) -> (T, R)) -> R {
        match self.0.take() {
            Some(value) => {
                let (value, result) = write(value);
                self.0 = Some(value);
                result
            }
            None => unreachable!("`update` puts the value back"),
        }
    }
}

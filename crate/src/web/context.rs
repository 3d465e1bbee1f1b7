//! Conversations as pages, and back.

use wasm_bindgen::prelude::*;

use super::{Engine, Thrown, busy, to_js};

#[wasm_bindgen]
impl Engine {
    /// Returns the pages of the conversation so far, in the order in which they are put back.
    #[wasm_bindgen(js_name = contextPages, unchecked_return_type = "ContextPage[]")]
    pub fn context_pages(&self) -> Result<JsValue, Thrown> {
        let engine = self.0.try_borrow().map_err(|_| busy())?;
        to_js(&engine.context_pages()?)
    }

    /// Returns the bytes of a page; undefined if the conversation no longer has it.
    // The engine stays borrowed on purpose: whoever calls meanwhile is told that it is busy.
    #[allow(clippy::await_holding_refcell_ref)]
    #[wasm_bindgen(js_name = savePage, unchecked_return_type = "Uint8Array | undefined")]
    pub async fn save_page(&self, name: &str) -> Result<Option<Vec<u8>>, Thrown> {
        let mut engine = self.0.try_borrow_mut().map_err(|_| busy())?;
        Ok(engine.save_page(name).await?)
    }

    /// Puts a page back; returns the number of tokens that the conversation has now. The first page replaces the
    /// conversation that was there.
    #[wasm_bindgen(js_name = restorePage)]
    pub fn restore_page(&self, page: &[u8]) -> Result<usize, Thrown> {
        let mut engine = self.0.try_borrow_mut().map_err(|_| busy())?;
        Ok(engine.restore_page(page)?)
    }
}

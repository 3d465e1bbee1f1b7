// Constants from the header:
//   FACTOR: f32
//   LOGIT_CAP: f32, 0 for none

// Scales a sum of a projection, and caps it if LOGIT_CAP is set.
fn scaled(sum: f32) -> f32 {
    let v = sum * FACTOR;
    if (LOGIT_CAP == 0.0) {
        return v;
    }
    // (beyond 15 some devices' tanh returns NaN)
    return LOGIT_CAP * tanh(clamp(v / select(LOGIT_CAP, 1.0, LOGIT_CAP == 0.0), -15.0, 15.0));
}

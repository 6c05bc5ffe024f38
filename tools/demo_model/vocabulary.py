"""The vocabulary: a byte-level BPE in the form of CLIP's tokenizer.json, learnt from the caption grammar."""

import json

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from captions import corpus

START, END = "<|startoftext|>", "<|endoftext|>"
CONTEXT = 32
SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def learn(size: int = 900) -> Tokenizer:
    """A tokenizer whose end token has the highest id, where CLIP's text tower looks for it."""
    tokenizer = Tokenizer(models.BPE(unk_token=END, end_of_word_suffix="</w>", continuing_subword_prefix=""))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), behavior="removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=sorted(alphabet), end_of_word_suffix="</w>", show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    # Numbered anew, since the trainer numbers symbols in another order each time. A word may end in any byte, so that nothing
    # is unknown.
    held = json.loads(tokenizer.to_str())
    merged = ["".join(pair) for pair in held["model"]["merges"]]
    tokens = sorted(alphabet) + [symbol + "</w>" for symbol in sorted(alphabet)] + merged + [START, END]
    held["model"]["vocab"] = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer.from_str(json.dumps(held))
    tokenizer.add_special_tokens([START, END])
    ids = {name: tokenizer.token_to_id(name) for name in (START, END)}
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", pair=f"{START} $A $B {END}", special_tokens=[(START, ids[START]), (END, ids[END])])
    return tokenizer

"""What Hugging Face makes of papo-nano's folder: ids, texts, pixel values, and torchvision's Lanczos,
which AutoProcessor's image processors resize by.

python make_golden.py MODEL_DIR > golden.json   (transformers 5.24.0, tokenizers 0.23.3, torch 2.15.0,
torchvision 0.29.2, pillow)
"""

import json
import sys

import numpy as np
import PIL
import tokenizers
import transformers
import torch
from PIL import Image
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import resize
from transformers import AutoProcessor, AutoTokenizer

PROMPTS = [
    "which shape @5",
    "which color @16 surely red",
    "add @3 @7",
    "add @11 @2 maybe 4",
    "find purple diamond",
    "read bar 2 surely 8",
    "count red square add 3",
    "count cyan maybe 2",
    "max @1 @9 @12",
    "tallest bar",
    "bar 4 minus bar 1",
    "what is the word hippopotamus",
]
COMPLETIONS = [
    "<think> @3 square @7 circle 1 + 2 </think> \\boxed{3}",
    "<think> bar 2 = 8 </think> \\boxed{8}",
    "<think> none </think> \\boxed{0}",
    "<think> bar 4 = 7 bar 1 = 3 7 - 3 </think> \\boxed{4}",
    "<think> purple diamond @16 </think> \\boxed{@16}",
    "\\boxed{red} \\boxed{20} } <think>",
]


def picture(width, height):
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return Image.fromarray(((x * x * 3 + y * 17 + x * y * c + 40 * c) % 256).astype(np.uint8))


folder = sys.argv[1]
tokenizer = AutoTokenizer.from_pretrained(folder)
processor = AutoProcessor.from_pretrained(folder)
prompts = []
for prompt in PROMPTS:
    content = [{"type": "image", "image": picture(64, 64)}, {"type": "text", "text": prompt}]
    out = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    ids = out["input_ids"][0].tolist()
    prompts.append({"text": prompt, "ids": ids, "decoded": tokenizer.decode(ids)})
pixels = out["pixel_values"].reshape(3, 64, 64)
completions = []
for text in COMPLETIONS:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    completions.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids)})


def resized(width, height):
    pixels = torch.from_numpy(np.array(picture(40, 30))).permute(2, 0, 1).contiguous()
    small = resize(pixels, [height, width], interpolation=InterpolationMode.LANCZOS, antialias=True)
    return {"width": width, "height": height, "bytes": small.permute(1, 2, 0).reshape(-1).tolist()}


json.dump(
    {
        "versions": {
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
            "pillow": PIL.__version__,
        },
        "prompts": prompts,
        "completions": completions,
        "pixelRows": {"row": 11, "values": pixels[:, 11, :].reshape(-1).tolist()},
        "pixelSums": pixels.double().sum(dim=(1, 2)).tolist(),
        "resized": [resized(16, 16), resized(64, 48), resized(64, 13)],
    },
    sys.stdout,
)

"""tensor_file.py: writes the safetensors files that `align bench` and `align forward` read, with nothing but Python."""
import json
import struct


def write_safetensors(path, tensors):
    """tensors: name -> (dtype as the format calls it, shape, bytes)."""
    header, end = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + len(data)]}
        end += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values()))

"""Labels to and from other tools: index PNG, COCO, Label Studio and CVAT, each exact where the format allows it."""

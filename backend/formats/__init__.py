"""Files in and out: radiographs, label tables, YOLO, COCO and release folders."""

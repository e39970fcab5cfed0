"""One photograph: reading it, its kind, its face, landmarks, alignment, augmentation."""

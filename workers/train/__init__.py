"""Training: one loop (`trainer.py`), its recipe and its data, and a file for what each kind of data does."""

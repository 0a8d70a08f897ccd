"""Training pictures: shapes -> what a camera sees of them -> surface, light, background, captions, edits."""

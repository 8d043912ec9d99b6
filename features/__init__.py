"""From events to model inputs: pure functions over arrays, no SQL, no HTTP, no clock."""

"""The goals of the heap: each module measures some of them and returns rows."""

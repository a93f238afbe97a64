"""Commands for people who work on edgenas: the demo and the lock."""

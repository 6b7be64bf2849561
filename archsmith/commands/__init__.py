"""The commands of `archsmith`, a file for each kind, and what they share."""

"""Envelopes: drafted, sent, taken up, signed in turn, ended. Whatever changes one holds its row's lock."""

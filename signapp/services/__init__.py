"""What the pages do: keyword-only functions, which own the transactions and call other roles outside them."""

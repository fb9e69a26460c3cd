"""What import contracts cannot see."""

"""What an attacker who has Ω can find out about people."""

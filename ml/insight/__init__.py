"""What distinguishes a group of members: indices, their significance, and how many of them are chance."""

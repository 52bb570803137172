"""Who is listening now: open sockets, and how an event reaches them."""

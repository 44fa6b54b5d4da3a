"""Pages for people: server-rendered, useful with no script, live with a small one."""

"""What this role does, a module a theme. Services own their transactions; none calls another role inside one."""

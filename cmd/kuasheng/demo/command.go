package demo

func (n *narrator) commands(st *stage, program string) {}

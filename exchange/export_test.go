package exchange

import "time"

// Registered lists the methods that a server really offers.
func Registered(s *Server) []string {
	var methods []string
	for service, info := range s.grpc.GetServiceInfo() {
		for _, m := range info.Methods {
			methods = append(methods, "/"+service+"/"+m.Name)
		}
	}
	return methods
}

// MethodRoles is the table of methods, with what it says about callers without an identity and about records.
func MethodRoles() map[string]struct{ Anybody, Records bool } {
	table := map[string]struct{ Anybody, Records bool }{}
	for method, allowed := range methodRoles() {
		table[method] = struct{ Anybody, Records bool }{allowed.permits(anybody), recordsRefusals(method)}
	}
	return table
}

// SetMessageTime shortens how long a call's message may take. It is called before the first call.
func SetMessageTime(s *Server, d time.Duration) { s.messageTime = d }

package exchange

import (
	"slices"

	"github.com/kuasheng/kuasheng/certs"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
)

// anybody stands for callers without an identity. Only health may be asked by them: it tells whether the server works and nothing else.
const anybody = certs.Role(0)

// roles says who may call a method. Every RPC stands in methodRoles; one that does not is refused, and a test walks the registered
// services. Administrators speak only for the exchange's own domain, everybody else only for a member's: see permits.
type roles []certs.Role

func identified() roles {
	return roles{certs.RoleAdmin, certs.RoleNode, certs.RoleApplication, certs.RoleOperator, certs.RoleAuditor}
}

func methodRoles() map[string]roles {
	return map[string]roles{
		registryv1.RegistryService_CreateMember_FullMethodName: {certs.RoleAdmin},
		registryv1.RegistryService_UpdateMember_FullMethodName: {certs.RoleAdmin},
		registryv1.RegistryService_GetMember_FullMethodName:    identified(),
		registryv1.RegistryService_ListMembers_FullMethodName:  identified(),
		registryv1.RegistryService_GetExchange_FullMethodName:  identified(),

		cataloguev1.CatalogueService_PublishResource_FullMethodName:  {certs.RoleNode, certs.RoleOperator},
		cataloguev1.CatalogueService_WithdrawResource_FullMethodName: {certs.RoleNode, certs.RoleOperator},
		cataloguev1.CatalogueService_GetResource_FullMethodName:      identified(),
		cataloguev1.CatalogueService_ListResources_FullMethodName:    identified(),

		grantv1.GrantService_CreateGrant_FullMethodName: {certs.RoleOperator},
		grantv1.GrantService_RevokeGrant_FullMethodName: {certs.RoleOperator},
		grantv1.GrantService_GetGrant_FullMethodName:    {certs.RoleAdmin, certs.RoleApplication, certs.RoleOperator, certs.RoleAuditor},
		grantv1.GrantService_ListGrants_FullMethodName:  {certs.RoleAdmin, certs.RoleApplication, certs.RoleOperator, certs.RoleAuditor},

		queryv1.QueryService_QueryResource_FullMethodName:  {certs.RoleApplication},
		queryv1.QueryService_ExportResource_FullMethodName: {certs.RoleApplication},

		linkv1.LinkService_Attach_FullMethodName:     {certs.RoleNode},
		linkv1.LinkService_SendAnswer_FullMethodName: {certs.RoleNode},

		auditv1.AuditService_GetAccess_FullMethodName:           {certs.RoleAuditor, certs.RoleApplication},
		auditv1.AuditService_ListAccesses_FullMethodName:        {certs.RoleAuditor, certs.RoleApplication},
		auditv1.AuditService_GetCheckpoint_FullMethodName:       identified(),
		auditv1.AuditService_GetInclusionProof_FullMethodName:   identified(),
		auditv1.AuditService_GetConsistencyProof_FullMethodName: identified(),

		grpc_health_v1.Health_Check_FullMethodName: append(identified(), anybody),
		grpc_health_v1.Health_Watch_FullMethodName: append(identified(), anybody),
		grpc_health_v1.Health_List_FullMethodName:  append(identified(), anybody),

		reflectionv1.ServerReflection_ServerReflectionInfo_FullMethodName:      identified(),
		reflectionv1alpha.ServerReflection_ServerReflectionInfo_FullMethodName: identified(),
	}
}

// permits reports whether a role may call.
func (r roles) permits(role certs.Role) bool { return slices.Contains(r, role) }

// recordsRefusals are the services of which every refusal goes on record. Of all others only those that are about who the caller is.
func recordsRefusals(method string) bool {
	for _, service := range []string{queryv1.QueryService_ServiceDesc.ServiceName, auditv1.AuditService_ServiceDesc.ServiceName} {
		if len(method) > len(service)+1 && method[1:len(service)+1] == service {
			return true
		}
	}
	return false
}

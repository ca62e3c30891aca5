import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { clouds } from "../../../components/policies/controls/clouds/index.ts";
import { parseRange, worldIn } from "../../../components/policies/controls/clouds/ranges.ts";
import { settingsOf } from "../../../components/policies/settings.ts";
import { isObject, type Properties, UNKNOWN } from "../../../components/policies/value.ts";

const settings = settingsOf(
  { maxGroupSize: 10, kubernetesVersions: ["1.36"] },
  { known: new Set(), today: "2026-01-01" },
);

interface Case {
  types: readonly string[];
  good: Properties;
  bad: Properties;
  /** Where `bad` breaks the control. */
  paths: readonly string[];
}

const of = (types: string, good: Properties, bad: Properties, ...paths: string[]): Case => ({
  types: types.split(/\s+/),
  good,
  bad,
  paths,
});

const base64 = (text: string) => Buffer.from(text).toString("base64");
const packed = (text: string) => gzipSync(text).toString("base64");

const EKS = "aws:eks/cluster:Cluster";
const EKS_NATIVE = "aws-native:eks:Cluster";
const EKS_COMPONENT = "eks:index:Cluster";
const EKS_NODES = "aws:eks/nodeGroup:NodeGroup aws-native:eks:Nodegroup";
const EKS_NODES_COMPONENTS = "eks:index:NodeGroup eks:index:NodeGroupV2";
const EKS_MANAGED_NODES = "eks:index:ManagedNodeGroup";
const AKS = "azure-native:containerservice:ManagedCluster";
const AKS_POOL = "azure-native:containerservice:AgentPool";
const AKS_CLASSIC = "azure:containerservice/kubernetesCluster:KubernetesCluster";
const AKS_POOL_CLASSIC = "azure:containerservice/kubernetesClusterNodePool:KubernetesClusterNodePool";
const GKE = "gcp:container/cluster:Cluster";
const GKE_POOL = "gcp:container/nodePool:NodePool";
const INSTANCES = "aws:ec2/instance:Instance aws:ec2/spotInstanceRequest:SpotInstanceRequest";
const INSTANCE_NATIVE = "aws-native:ec2:Instance";
const TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate";
const TEMPLATE_NATIVE = "aws-native:ec2:LaunchTemplate";
const CONFIGURATION = "aws:ec2/launchConfiguration:LaunchConfiguration";
const CONFIGURATION_NATIVE = "aws-native:autoscaling:LaunchConfiguration";
const FLEET = "aws:ec2/spotFleetRequest:SpotFleetRequest";
const AZURE_MACHINE = "azure-native:compute:VirtualMachine";
const AZURE_SCALE_SET = "azure-native:compute:VirtualMachineScaleSet";
const AZURE_MACHINES_CLASSIC =
  "azure:compute/linuxVirtualMachine:LinuxVirtualMachine azure:compute/windowsVirtualMachine:WindowsVirtualMachine";
const AZURE_SCALE_SETS_CLASSIC =
  "azure:compute/linuxVirtualMachineScaleSet:LinuxVirtualMachineScaleSet azure:compute/windowsVirtualMachineScaleSet:WindowsVirtualMachineScaleSet";
const AZURE_SCALE_SET_MIXED =
  "azure:compute/orchestratedVirtualMachineScaleSet:OrchestratedVirtualMachineScaleSet";
const GOOGLE_MACHINES =
  "gcp:compute/instance:Instance gcp:compute/instanceFromTemplate:InstanceFromTemplate gcp:compute/instanceTemplate:InstanceTemplate gcp:compute/regionInstanceTemplate:RegionInstanceTemplate";
const GAR = "gcp:artifactregistry/repository:Repository";
const GOOGLE_RULES =
  "gcp:compute/firewallPolicyRule:FirewallPolicyRule gcp:compute/networkFirewallPolicyRule:NetworkFirewallPolicyRule gcp:compute/regionNetworkFirewallPolicyRule:RegionNetworkFirewallPolicyRule";
const ECR_POLICY = "aws:ecr/repositoryPolicy:RepositoryPolicy";
const ECR_TEMPLATE =
  "aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate aws-native:ecr:RepositoryCreationTemplate";
const ACR = "azure-native:containerregistry:Registry";
const ACR_CLASSIC = "azure:containerservice/registry:Registry";
const ECR = "aws:ecr/repository:Repository aws-native:ecr:Repository awsx:ecr:Repository";

const OFFICE = "203.0.113.0/24";
const WORLD = "0.0.0.0/0";
const SCRIPT = "#!/bin/bash\nexport DB_PASSWORD=hunter22\n";
const NO_SECRET = "#!/bin/bash\nexport DB_PASSWORD=$(fetch db)\nTOKEN_FILE=/run/token\n";

const policy = (principal: unknown, more = {}) =>
  JSON.stringify({ Statement: [{ Effect: "Allow", Action: "ecr:*", Principal: principal, ...more }] });

/** A policy for everyone, under a condition. */
const under = (operator: string, key: string, value: unknown) => ({
  policy: policy("*", { Condition: { [operator]: { [key]: value } } }),
});

const SSH_OF_GOOGLE = [{ ipProtocol: "tcp", ports: ["22"] }];
const DATABASE = "Server=tcp:s;User ID=a;Password=hunter22;";
const IN_VAULT = "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/db)";

const CASES: Record<string, readonly Case[]> = {
  "public-endpoint": [
    of(
      EKS,
      { vpcConfig: { endpointPublicAccess: false } },
      { vpcConfig: {} },
      "vpcConfig.endpointPublicAccess",
    ),
    of(
      EKS,
      { vpcConfig: { endpointPublicAccess: true, publicAccessCidrs: [OFFICE] } },
      { vpcConfig: { publicAccessCidrs: [OFFICE, WORLD, "::/0"] } },
      "vpcConfig.publicAccessCidrs[1]",
      "vpcConfig.publicAccessCidrs[2]",
    ),
    of(
      EKS_NATIVE,
      { resourcesVpcConfig: { publicAccessCidrs: [OFFICE] } },
      { resourcesVpcConfig: { endpointPublicAccess: true } },
      "resourcesVpcConfig.endpointPublicAccess",
    ),
    of(EKS_COMPONENT, {}, { version: "1.36" }, "endpointPublicAccess"),
    of(
      AKS,
      { apiServerAccessProfile: { enablePrivateCluster: true } },
      { apiServerAccessProfile: { authorizedIPRanges: [WORLD] } },
      "apiServerAccessProfile.authorizedIPRanges[0]",
    ),
    of(
      AKS_CLASSIC,
      { apiServerAccessProfile: { authorizedIpRanges: [OFFICE] } },
      {},
      "apiServerAccessProfile.authorizedIpRanges",
    ),
    of(
      GKE,
      { masterAuthorizedNetworksConfig: { cidrBlocks: [{ cidrBlock: OFFICE }] } },
      {
        controlPlaneEndpointsConfig: { dnsEndpointConfig: { allowExternalTraffic: true } },
        masterAuthorizedNetworksConfig: {
          cidrBlocks: [{ cidrBlock: OFFICE }, { cidrBlock: WORLD }],
          gcpPublicCidrsAccessEnabled: true,
        },
      },
      "controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic",
      "masterAuthorizedNetworksConfig.cidrBlocks[1].cidrBlock",
      "masterAuthorizedNetworksConfig.gcpPublicCidrsAccessEnabled",
    ),
    of(GKE, { privateClusterConfig: { enablePrivateEndpoint: true } }, {}, "masterAuthorizedNetworksConfig"),
  ],
  "private-nodes": [
    of(
      `${INSTANCES} ${INSTANCE_NATIVE}`,
      { subnetId: "a" },
      { subnetId: "a", associatePublicIpAddress: true },
      "associatePublicIpAddress",
    ),
    of(
      EKS_COMPONENT,
      { nodeGroupOptions: { nodeAssociatePublicIpAddress: false } },
      { nodeGroupOptions: { nodeAssociatePublicIpAddress: true } },
      "nodeGroupOptions.nodeAssociatePublicIpAddress",
    ),
    of(
      TEMPLATE,
      { networkInterfaces: [{ associatePublicIpAddress: "false" }] },
      { networkInterfaces: [{}, { associatePublicIpAddress: "true" }] },
      "networkInterfaces[1].associatePublicIpAddress",
    ),
    of(
      TEMPLATE_NATIVE,
      { launchTemplateData: {} },
      { launchTemplateData: { networkInterfaces: [{ associatePublicIpAddress: true }] } },
      "launchTemplateData.networkInterfaces[0].associatePublicIpAddress",
    ),
    of(
      `${CONFIGURATION} ${CONFIGURATION_NATIVE}`,
      { associatePublicIpAddress: false },
      { associatePublicIpAddress: true },
      "associatePublicIpAddress",
    ),
    of(
      FLEET,
      { launchSpecifications: [{ ami: "a" }, { associatePublicIpAddress: false }] },
      { launchSpecifications: [{ ami: "a" }, { associatePublicIpAddress: true }] },
      "launchSpecifications[1].associatePublicIpAddress",
    ),
    of(
      "aws:ec2/defaultSubnet:DefaultSubnet",
      { mapPublicIpOnLaunch: false },
      { mapPublicIpOnLaunch: true },
      "mapPublicIpOnLaunch",
    ),
    of("aws:ec2/defaultSubnet:DefaultSubnet", { mapPublicIpOnLaunch: "false" }, {}, "mapPublicIpOnLaunch"),
    of(
      "aws:ec2/subnet:Subnet aws-native:ec2:Subnet",
      {},
      { mapPublicIpOnLaunch: true },
      "mapPublicIpOnLaunch",
    ),
    of(
      `${EKS_COMPONENT} ${EKS_NODES_COMPONENTS}`,
      { nodeAssociatePublicIpAddress: false },
      { nodeAssociatePublicIpAddress: true },
      "nodeAssociatePublicIpAddress",
    ),
    of(
      AKS,
      { agentPoolProfiles: [{}] },
      { agentPoolProfiles: [{ enableNodePublicIP: true }] },
      "agentPoolProfiles[0].enableNodePublicIP",
    ),
    of(AKS_POOL, {}, { enableNodePublicIP: true }, "enableNodePublicIP"),
    of(
      AKS_CLASSIC,
      { defaultNodePool: {} },
      { defaultNodePool: { nodePublicIpEnabled: true } },
      "defaultNodePool.nodePublicIpEnabled",
    ),
    of(AKS_POOL_CLASSIC, {}, { enableNodePublicIp: true }, "enableNodePublicIp"),
    of(
      "azure-native:network:NetworkInterface",
      { ipConfigurations: [{}] },
      { ipConfigurations: [{ publicIPAddress: { id: "a" } }] },
      "ipConfigurations[0].publicIPAddress",
    ),
    of(
      "azure:network/networkInterface:NetworkInterface",
      { ipConfigurations: [{}] },
      { ipConfigurations: [{ publicIpAddressId: "a" }] },
      "ipConfigurations[0].publicIpAddressId",
    ),
    of(
      AZURE_MACHINE,
      { networkProfile: { networkInterfaces: [{ id: "a" }] } },
      {
        networkProfile: {
          networkInterfaceConfigurations: [{ ipConfigurations: [{ publicIPAddressConfiguration: {} }] }],
        },
      },
      "networkProfile.networkInterfaceConfigurations[0].ipConfigurations[0].publicIPAddressConfiguration",
    ),
    of(
      AZURE_SCALE_SET,
      {},
      {
        virtualMachineProfile: {
          networkProfile: {
            networkInterfaceConfigurations: [{ ipConfigurations: [{ publicIPAddressConfiguration: {} }] }],
          },
        },
      },
      "virtualMachineProfile.networkProfile.networkInterfaceConfigurations[0].ipConfigurations[0].publicIPAddressConfiguration",
    ),
    of(
      `${AZURE_SCALE_SETS_CLASSIC} ${AZURE_SCALE_SET_MIXED}`,
      { networkInterfaces: [{ ipConfigurations: [{ publicIpAddresses: [] }] }] },
      { networkInterfaces: [{ ipConfigurations: [{ publicIpAddresses: [{}] }] }] },
      "networkInterfaces[0].ipConfigurations[0].publicIpAddresses",
    ),
    of(
      GKE,
      { privateClusterConfig: { enablePrivateNodes: true } },
      { nodePools: [{ networkConfig: { enablePrivateNodes: false } }] },
      "privateClusterConfig.enablePrivateNodes",
      "nodePools[0].networkConfig.enablePrivateNodes",
    ),
    of(GKE_POOL, {}, { networkConfig: { enablePrivateNodes: false } }, "networkConfig.enablePrivateNodes"),
    of(
      GOOGLE_MACHINES,
      { networkInterfaces: [{ network: "a" }] },
      { networkInterfaces: [{ accessConfigs: [{}], ipv6AccessConfigs: [{}] }] },
      "networkInterfaces[0].accessConfigs",
      "networkInterfaces[0].ipv6AccessConfigs",
    ),
  ],
  "open-to-world": [
    of(
      "aws:ec2/securityGroup:SecurityGroup aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
      {
        ingress: [
          { protocol: "tcp", fromPort: 443, toPort: 443, cidrBlocks: [WORLD], ipv6CidrBlocks: ["::/0"] },
          { protocol: "tcp", fromPort: 22, toPort: 22, cidrBlocks: [OFFICE, "10.0.0.0/8"], self: true },
          { protocol: "icmp", fromPort: -1, toPort: -1, cidrBlocks: [WORLD] },
          { protocol: "-1", fromPort: 0, toPort: 0, securityGroups: ["sg"], prefixListIds: ["pl"] },
        ],
        egress: [{ protocol: "-1", fromPort: 0, toPort: 0, cidrBlocks: [WORLD] }],
      },
      {
        ingress: [
          {
            protocol: "tcp",
            fromPort: 20,
            toPort: 30,
            cidrBlocks: [OFFICE, WORLD],
            ipv6CidrBlocks: ["2000::/3"],
          },
          { protocol: "-1", fromPort: 0, toPort: 0, cidrBlocks: ["0.0.0.0/1", "128.0.0.0/1"] },
          { protocol: "tcp", fromPort: 4789, toPort: 4789, cidrBlocks: [WORLD] },
        ],
      },
      "ingress[0].cidrBlocks[1]",
      "ingress[0].ipv6CidrBlocks[0]",
      "ingress[1].cidrBlocks[0]",
      "ingress[1].cidrBlocks[1]",
      "ingress[2].cidrBlocks[0]",
    ),
    of(
      "aws:ec2/securityGroup:SecurityGroup",
      { ingress: { protocol: "tcp", fromPort: 22, toPort: 22, cidrBlocks: OFFICE } },
      { ingress: { protocol: "tcp", fromPort: 22, toPort: 22, cidrBlocks: WORLD } },
      "ingress.cidrBlocks",
    ),
    of(
      "aws:ec2/networkAcl:NetworkAcl aws:ec2/defaultNetworkAcl:DefaultNetworkAcl",
      {
        ingress: [
          { action: "allow", protocol: "tcp", fromPort: 443, toPort: 443, cidrBlock: WORLD },
          { action: "allow", protocol: "tcp", fromPort: 1024, toPort: 65535, cidrBlock: WORLD },
          { action: "allow", protocol: "-1", fromPort: 0, toPort: 0, cidrBlock: "10.0.0.0/8" },
          { action: "deny", protocol: "-1", fromPort: 0, toPort: 0, cidrBlock: WORLD },
        ],
        egress: [{ action: "allow", protocol: "-1", fromPort: 0, toPort: 0, cidrBlock: WORLD }],
      },
      {
        ingress: [
          { action: "allow", protocol: "tcp", fromPort: 22, toPort: 22, cidrBlock: WORLD },
          { action: "allow", protocol: "-1", fromPort: 0, toPort: 0, ipv6CidrBlock: "::/0" },
          { action: "allow", protocol: "tcp", fromPort: 6443, toPort: 6443, cidrBlock: WORLD },
        ],
      },
      "ingress[0].cidrBlock",
      "ingress[1].ipv6CidrBlock",
      "ingress[2].cidrBlock",
    ),
    of(
      "aws:ec2/networkAclRule:NetworkAclRule",
      { egress: true, ruleAction: "allow", protocol: "tcp", fromPort: 22, toPort: 22, cidrBlock: WORLD },
      { ruleAction: "allow", protocol: "6", fromPort: 22, toPort: 22, cidrBlock: WORLD },
      "cidrBlock",
    ),
    of(
      "aws-native:ec2:NetworkAclEntry",
      { ruleAction: "allow", protocol: 6, portRange: { from: 1024, to: 65535 }, cidrBlock: WORLD },
      { ruleAction: "allow", protocol: 6, portRange: { from: 22, to: 22 }, cidrBlock: WORLD },
      "cidrBlock",
    ),
    of(
      "aws-native:ec2:NetworkAclEntry",
      { egress: true, ruleAction: "allow", protocol: -1, cidrBlock: WORLD },
      { ruleAction: "allow", protocol: -1, ipv6CidrBlock: "::/0" },
      "ipv6CidrBlock",
    ),
    of(
      "aws:lightsail/instancePublicPorts:InstancePublicPorts",
      {
        portInfos: [
          { protocol: "tcp", fromPort: 443, toPort: 443 },
          { protocol: "tcp", fromPort: 22, toPort: 22, cidrs: [OFFICE] },
          { protocol: "tcp", fromPort: 22, toPort: 22, cidrListAliases: ["lightsail-connect"] },
        ],
      },
      {
        portInfos: [
          { protocol: "tcp", fromPort: 22, toPort: 22, cidrs: [WORLD], ipv6Cidrs: ["::/0"] },
          { protocol: "tcp", fromPort: 3389, toPort: 3389 },
        ],
      },
      "portInfos[0].cidrs[0]",
      "portInfos[0].ipv6Cidrs[0]",
      "portInfos[1].cidrs",
    ),
    of(
      "aws:ec2/managedPrefixList:ManagedPrefixList aws-native:ec2:PrefixList",
      { entries: [{ cidr: OFFICE }, { cidr: "10.0.0.0/8" }] },
      { entries: [{ cidr: OFFICE }, { cidr: WORLD }] },
      "entries[1].cidr",
    ),
    of("aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry", { cidr: OFFICE }, { cidr: WORLD }, "cidr"),
    of(
      "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
      { ipProtocol: "tcp", fromPort: 5987, toPort: 5987, cidrIpv4: WORLD },
      { ipProtocol: "tcp", fromPort: 5986, toPort: 5986, cidrIpv4: WORLD },
      "cidrIpv4",
    ),
    of(
      "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
      { ipProtocol: "tcp", fromPort: 5984, toPort: 5984, cidrIpv4: WORLD },
      { ipProtocol: "tcp", fromPort: 5985, toPort: 5985, cidrIpv4: WORLD },
      "cidrIpv4",
    ),
    of(
      "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
      { ipProtocol: "tcp", fromPort: 24, toPort: 25, cidrIpv4: WORLD },
      { ipProtocol: "tcp", fromPort: 23, toPort: 23, cidrIpv4: WORLD },
      "cidrIpv4",
    ),
    of(
      "aws:ec2/securityGroupRule:SecurityGroupRule",
      { type: "egress", protocol: "tcp", fromPort: 22, toPort: 22, cidrBlocks: [WORLD] },
      { type: "ingress", protocol: "6", fromPort: 0, toPort: 65535, cidrBlocks: [WORLD] },
      "cidrBlocks[0]",
    ),
    of(
      "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
      { ipProtocol: "tcp", fromPort: 10250, toPort: 10250, cidrIpv4: OFFICE, cidrIpv6: "fc00::/7" },
      { ipProtocol: "tcp", fromPort: 2379, toPort: 2380, cidrIpv4: WORLD, cidrIpv6: "::/0" },
      "cidrIpv4",
      "cidrIpv6",
    ),
    of(
      "aws-native:ec2:SecurityGroup",
      { securityGroupIngress: [{ ipProtocol: "udp", fromPort: 51820, toPort: 51820, cidrIp: WORLD }] },
      { securityGroupIngress: [{ ipProtocol: "-1", cidrIp: WORLD }] },
      "securityGroupIngress[0].cidrIp",
    ),
    of(
      "aws-native:ec2:SecurityGroupIngress",
      { ipProtocol: "tcp", fromPort: 80, toPort: 80, cidrIp: WORLD },
      { ipProtocol: "tcp", fromPort: 6443, toPort: 6443, cidrIpv6: "::/0" },
      "cidrIpv6",
    ),
    of(
      `aws:eks/nodeGroup:NodeGroup ${EKS_MANAGED_NODES}`,
      { remoteAccess: { ec2SshKey: "a", sourceSecurityGroupIds: ["sg"] } },
      { remoteAccess: { ec2SshKey: "a" } },
      "remoteAccess.sourceSecurityGroupIds",
    ),
    of(
      "aws-native:eks:Nodegroup",
      { remoteAccess: { ec2SshKey: "a", sourceSecurityGroups: ["sg"] } },
      { remoteAccess: { ec2SshKey: "a" } },
      "remoteAccess.sourceSecurityGroups",
    ),
    of(
      "azure-native:network:NetworkSecurityGroup azure:network/networkSecurityGroup:NetworkSecurityGroup",
      {
        securityRules: [
          { access: "Deny", direction: "Inbound", sourceAddressPrefix: "*", destinationPortRange: "*" },
          { access: "Allow", direction: "Outbound", sourceAddressPrefix: "*", destinationPortRange: "*" },
          { access: "Allow", direction: "Inbound", sourceAddressPrefix: "VirtualNetwork" },
          { protocol: "*", sourceAddressPrefix: "Internet", destinationPortRanges: ["80", "443"] },
        ],
      },
      {
        securityRules: [
          { protocol: "*", sourceAddressPrefix: "*", destinationPortRange: "22" },
          {
            access: "Allow",
            direction: "Inbound",
            protocol: "Tcp",
            sourceAddressPrefixes: [OFFICE, "Internet", "::/0"],
            destinationPortRanges: ["80", "2370-2380"],
          },
        ],
      },
      "securityRules[0].sourceAddressPrefix",
      "securityRules[1].sourceAddressPrefixes[1]",
      "securityRules[1].sourceAddressPrefixes[2]",
    ),
    of(
      "azure-native:network:SecurityRule azure:network/networkSecurityRule:NetworkSecurityRule",
      { protocol: "Icmp", sourceAddressPrefix: "*", destinationPortRange: "*" },
      { protocol: "Udp", sourceAddressPrefix: "any", destinationPortRange: "4000-5000" },
      "sourceAddressPrefix",
    ),
    of(
      "azure-native:network:SecurityRule azure:network/networkSecurityRule:NetworkSecurityRule",
      { protocol: "Tcp", sourceAddressPrefix: "AzureLoadBalancer", destinationPortRange: "22,80" },
      { protocol: "Tcp", sourceAddressPrefix: "AzureCloud", destinationPortRange: "80,22" },
      "sourceAddressPrefix",
    ),
    of(
      "gcp:compute/firewall:Firewall",
      { allows: [{ protocol: "tcp", ports: ["22"] }], sourceTags: ["bastion"] },
      { allows: [{ protocol: "tcp", ports: ["80", "20-25"] }] },
      "sourceRanges",
    ),
    of(
      "gcp:compute/firewall:Firewall",
      { direction: "EGRESS", allows: [{ protocol: "all" }], sourceRanges: [WORLD] },
      { allows: [{ protocol: "all" }], sourceRanges: [WORLD, "::/0"], sourceTags: ["a"] },
      "sourceRanges[0]",
      "sourceRanges[1]",
    ),
    of(
      GOOGLE_RULES,
      { match: { srcNetworkScope: "INTERNET", srcIpRanges: [OFFICE], layer4Configs: SSH_OF_GOOGLE } },
      { match: { srcNetworkScope: "INTERNET", layer4Configs: SSH_OF_GOOGLE } },
      "match.srcNetworkScope",
    ),
    of(
      GOOGLE_RULES,
      { match: { srcNetworkType: "INTERNET", layer4Configs: [{ ipProtocol: "tcp", ports: ["443"] }] } },
      { match: { srcNetworkType: "INTERNET", layer4Configs: SSH_OF_GOOGLE } },
      "match.srcNetworkType",
    ),
    of(
      GOOGLE_RULES,
      { match: { srcNetworkScope: "NON_INTERNET", srcIpRanges: [WORLD], layer4Configs: SSH_OF_GOOGLE } },
      { match: { srcNetworkScope: "INTERNET", srcIpRanges: [WORLD], layer4Configs: SSH_OF_GOOGLE } },
      "match.srcIpRanges[0]",
    ),
    of(
      GOOGLE_RULES,
      { match: { srcNetworkType: "INTRA_VPC", srcIpRanges: [WORLD], layer4Configs: SSH_OF_GOOGLE } },
      { match: { srcNetworkContext: "UNSPECIFIED", srcIpRanges: [WORLD], layer4Configs: SSH_OF_GOOGLE } },
      "match.srcIpRanges[0]",
    ),
    of(
      GOOGLE_RULES,
      { match: { srcNetworkContext: "VPC_NETWORKS", srcNetworks: ["n"], layer4Configs: SSH_OF_GOOGLE } },
      { match: { srcRegionCodes: ["US", "CA"], layer4Configs: SSH_OF_GOOGLE } },
      "match.srcRegionCodes",
    ),
    of(
      GOOGLE_RULES,
      { action: "deny", match: { srcRegionCodes: ["US"], layer4Configs: SSH_OF_GOOGLE } },
      { match: { srcRegionCodes: ["US"], layer4Configs: SSH_OF_GOOGLE } },
      "match.srcRegionCodes",
    ),
    // Google takes no rule for what comes in without a source.
    of(
      GOOGLE_RULES,
      { match: { layer4Configs: SSH_OF_GOOGLE } },
      { match: { srcRegionCodes: ["US"], srcFqdns: ["a.example.org"], layer4Configs: SSH_OF_GOOGLE } },
      "match.srcRegionCodes",
    ),
    of(
      GOOGLE_RULES,
      { match: { srcSecureTags: [{ name: "tagValues/1" }], layer4Configs: SSH_OF_GOOGLE } },
      { match: { srcRegionCodes: ["US"], srcIpRanges: [OFFICE], layer4Configs: SSH_OF_GOOGLE } },
      "match.srcRegionCodes",
    ),
    of(
      GOOGLE_RULES,
      { action: "deny", match: { srcIpRanges: [WORLD], layer4Configs: [{ ipProtocol: "all" }] } },
      {
        action: "allow",
        direction: "INGRESS",
        match: { srcIpRanges: [WORLD], layer4Configs: [{ ipProtocol: "tcp", ports: ["7946"] }] },
      },
      "match.srcIpRanges[0]",
    ),
    of(
      "gcp:compute/firewallPolicyWithRules:FirewallPolicyWithRules gcp:compute/networkFirewallPolicyWithRules:NetworkFirewallPolicyWithRules gcp:compute/regionNetworkFirewallPolicyWithRules:RegionNetworkFirewallPolicyWithRules",
      {
        rules: [
          {
            action: "allow",
            match: { srcIpRanges: [WORLD], layer4Configs: [{ ipProtocol: "tcp", ports: ["443"] }] },
          },
        ],
      },
      {
        rules: [
          {
            action: "allow",
            match: { srcIpRanges: [WORLD], layer4Configs: [{ ipProtocol: "tcp", ports: ["22"] }] },
          },
        ],
      },
      "rules[0].match.srcIpRanges[0]",
    ),
  ],
  "cluster-legacy-auth": [
    of(
      AKS,
      { disableLocalAccounts: true, enableRBAC: true, aadProfile: { managed: true } },
      { disableLocalAccounts: false, enableRBAC: false, aadProfile: { managed: false } },
      "disableLocalAccounts",
      "enableRBAC",
      "aadProfile.managed",
    ),
    of(
      AKS_CLASSIC,
      { azureActiveDirectoryRoleBasedAccessControl: { tenantId: "a" } },
      {
        localAccountDisabled: false,
        roleBasedAccessControlEnabled: false,
        azureActiveDirectoryRoleBasedAccessControl: { managed: false },
      },
      "localAccountDisabled",
      "roleBasedAccessControlEnabled",
      "azureActiveDirectoryRoleBasedAccessControl.managed",
    ),
    of(
      GKE,
      { masterAuth: { clientCertificateConfig: { issueClientCertificate: false } } },
      {
        enableLegacyAbac: true,
        masterAuth: {
          username: "admin",
          password: "hunter22",
          clientCertificateConfig: { issueClientCertificate: true },
        },
      },
      "enableLegacyAbac",
      "masterAuth.username",
      "masterAuth.password",
      "masterAuth.clientCertificateConfig.issueClientCertificate",
    ),
  ],
  "cluster-encryption": [
    of(EKS, { encryptionConfig: { provider: { keyArn: "a" } } }, {}, "encryptionConfig"),
    of(
      EKS_NATIVE,
      { encryptionConfig: [{ provider: { keyArn: "a" } }] },
      { encryptionConfig: [{ resources: ["secrets"] }] },
      "encryptionConfig[0].provider.keyArn",
    ),
    of(EKS_COMPONENT, { encryptionConfigKeyArn: "a" }, { version: "1.36" }, "encryptionConfigKeyArn"),
    of(
      AKS,
      { securityProfile: { azureKeyVaultKms: { enabled: true } } },
      { securityProfile: { azureKeyVaultKms: { enabled: false } } },
      "securityProfile.azureKeyVaultKms.enabled",
    ),
    of(
      AKS_CLASSIC,
      { keyManagementService: { keyVaultKeyId: "a" } },
      {},
      "keyManagementService.keyVaultKeyId",
    ),
    of(
      GKE,
      { databaseEncryption: { state: "ENCRYPTED", keyName: "a" } },
      { databaseEncryption: { state: "DECRYPTED" } },
      "databaseEncryption.state",
    ),
  ],
  "cluster-logs": [
    of(
      `${EKS} ${EKS_COMPONENT}`,
      { enabledClusterLogTypes: ["api", "audit", "authenticator", "scheduler"] },
      { enabledClusterLogTypes: ["api"] },
      "enabledClusterLogTypes",
    ),
    of(
      EKS_NATIVE,
      {
        logging: {
          clusterLogging: { enabledTypes: [{ type: "api" }, { type: "audit" }, { type: "authenticator" }] },
        },
      },
      {},
      "logging.clusterLogging.enabledTypes",
    ),
    of(
      AKS,
      { addonProfiles: { omsagent: { enabled: true } } },
      { addonProfiles: { omsagent: { enabled: false } } },
      "addonProfiles.omsagent.enabled",
    ),
    of(AKS_CLASSIC, { omsAgent: { logAnalyticsWorkspaceId: "a" } }, {}, "omsAgent.logAnalyticsWorkspaceId"),
    of(
      GKE,
      {},
      { loggingService: "none", loggingConfig: { enableComponents: [] } },
      "loggingService",
      "loggingConfig.enableComponents",
    ),
  ],
  "workload-identity": [
    of(
      AKS,
      { oidcIssuerProfile: { enabled: true }, securityProfile: { workloadIdentity: { enabled: true } } },
      { securityProfile: { workloadIdentity: { enabled: false } } },
      "oidcIssuerProfile.enabled",
      "securityProfile.workloadIdentity.enabled",
    ),
    of(
      AKS_CLASSIC,
      { oidcIssuerEnabled: true, workloadIdentityEnabled: true },
      { oidcIssuerEnabled: true },
      "workloadIdentityEnabled",
    ),
    of(
      AKS,
      { sku: { name: "Automatic" } },
      {
        sku: { name: "Automatic" },
        oidcIssuerProfile: { enabled: false },
        securityProfile: { workloadIdentity: { enabled: false } },
      },
      "oidcIssuerProfile.enabled",
      "securityProfile.workloadIdentity.enabled",
    ),
    of(
      AKS,
      { sku: { name: "automatic", tier: "Standard" } },
      { sku: { name: "Base", tier: "Standard" } },
      "oidcIssuerProfile.enabled",
      "securityProfile.workloadIdentity.enabled",
    ),
    of(GKE, { enableAutopilot: true }, {}, "workloadIdentityConfig.workloadPool"),
    of(
      GKE,
      { workloadIdentityConfig: { workloadPool: "p.svc.id.goog" } },
      { workloadIdentityConfig: { workloadPool: "" } },
      "workloadIdentityConfig.workloadPool",
    ),
  ],
  "cluster-network-policy": [
    of(
      "aws:eks/addon:Addon aws-native:eks:Addon eks:index:Addon",
      { addonName: "vpc-cni", configurationValues: 'enableNetworkPolicy: "true"\nenv: {}\n' },
      { addonName: "vpc-cni", configurationValues: 'enableNetworkPolicy: "false"\n' },
      "configurationValues",
    ),
    of(
      "aws:eks/addon:Addon",
      { addonName: "coredns" },
      { addonName: "vpc-cni", configurationValues: "enableNetworkPolicy: [" },
      "configurationValues",
    ),
    of(
      "eks:index:Addon",
      { addonName: "vpc-cni", configurationValues: { enableNetworkPolicy: "true" } },
      { addonName: "vpc-cni", configurationValues: { enableNetworkPolicy: "false" } },
      "configurationValues",
    ),
    of(
      EKS_COMPONENT,
      { vpcCniOptions: { enableNetworkPolicy: true } },
      { vpcCniOptions: { enableNetworkPolicy: false } },
      "vpcCniOptions.enableNetworkPolicy",
    ),
    of("eks:index:VpcCniAddon", { clusterName: "c" }, { enableNetworkPolicy: false }, "enableNetworkPolicy"),
    of(
      AKS,
      { sku: { name: "Automatic" } },
      { sku: { name: "Automatic" }, networkProfile: { networkPolicy: "none" } },
      "networkProfile.networkPolicy",
    ),
    of(
      AKS,
      { sku: { name: "Automatic" }, networkProfile: { networkPolicy: "cilium" } },
      { sku: { name: "Base" } },
      "networkProfile.networkPolicy",
    ),
    of(
      "aws:eks/addon:Addon aws-native:eks:Addon",
      { addonName: "vpc-cni", configurationValues: '{"enableNetworkPolicy":"true"}' },
      { addonName: "vpc-cni", configurationValues: "{}" },
      "configurationValues",
    ),
    of(
      AKS,
      { networkProfile: { networkPolicy: "calico" } },
      { networkProfile: { networkPolicy: "none" } },
      "networkProfile.networkPolicy",
    ),
    of(AKS_CLASSIC, { networkProfile: { networkDataPlane: "cilium" } }, {}, "networkProfile.networkPolicy"),
    of(GKE, { datapathProvider: "ADVANCED_DATAPATH" }, {}, "networkPolicy.enabled"),
    of(
      GKE,
      { networkPolicy: { enabled: true } },
      { networkPolicy: { enabled: false } },
      "networkPolicy.enabled",
    ),
  ],
  "cluster-upgrades": [
    of(
      `${EKS} ${EKS_NATIVE} ${EKS_COMPONENT}`,
      { upgradePolicy: { supportType: "STANDARD" } },
      { upgradePolicy: { supportType: "EXTENDED" } },
      "upgradePolicy.supportType",
    ),
    of(
      AKS,
      { autoUpgradeProfile: { upgradeChannel: "stable" } },
      { autoUpgradeProfile: { upgradeChannel: "none", nodeOSUpgradeChannel: "Unmanaged" } },
      "autoUpgradeProfile.upgradeChannel",
      "autoUpgradeProfile.nodeOSUpgradeChannel",
    ),
    of(
      AKS,
      { sku: { name: "Automatic" } },
      { sku: { name: "Automatic" }, autoUpgradeProfile: { upgradeChannel: "none" } },
      "autoUpgradeProfile.upgradeChannel",
    ),
    of(
      AKS,
      { sku: { name: "Automatic" }, autoUpgradeProfile: { upgradeChannel: "rapid" } },
      { sku: { name: "Base" }, autoUpgradeProfile: { nodeOSUpgradeChannel: "NodeImage" } },
      "autoUpgradeProfile.upgradeChannel",
    ),
    of(AKS_CLASSIC, { automaticChannelUpgrade: "patch" }, {}, "automaticUpgradeChannel"),
    of(
      GKE,
      { releaseChannel: { channel: "REGULAR" } },
      { releaseChannel: { channel: "UNSPECIFIED" }, nodePools: [{ management: { autoUpgrade: false } }] },
      "releaseChannel.channel",
      "nodePools[0].management.autoUpgrade",
    ),
    of(GKE, { enableAutopilot: true }, {}, "releaseChannel.channel"),
    of(GKE_POOL, {}, { management: { autoUpgrade: false } }, "management.autoUpgrade"),
  ],
  "supported-version": [
    of(
      `${EKS} ${EKS_NATIVE} ${EKS_NODES} ${EKS_COMPONENT} ${EKS_MANAGED_NODES} ${EKS_NODES_COMPONENTS}`,
      { version: "1.36" },
      { version: "1.3" },
      "version",
    ),
    of(
      EKS_COMPONENT,
      { nodeGroupOptions: { version: "1.36" } },
      { nodeGroupOptions: { version: "1.29" } },
      "nodeGroupOptions.version",
    ),
    of(
      AKS,
      { kubernetesVersion: "1.36.2" },
      { kubernetesVersion: "1.29.1", agentPoolProfiles: [{ orchestratorVersion: "1.28" }] },
      "kubernetesVersion",
      "agentPoolProfiles[0].orchestratorVersion",
    ),
    of(
      AKS_CLASSIC,
      {},
      { kubernetesVersion: "1.29", defaultNodePool: { orchestratorVersion: "1.29" } },
      "kubernetesVersion",
      "defaultNodePool.orchestratorVersion",
    ),
    of(`${AKS_POOL} ${AKS_POOL_CLASSIC}`, {}, { orchestratorVersion: "1.29.0" }, "orchestratorVersion"),
    of(
      GKE,
      { minMasterVersion: "latest", nodeVersion: "1.36.1-gke.100" },
      { minMasterVersion: "1.29.1-gke.5", nodePools: [{ version: "1.29" }] },
      "minMasterVersion",
      "nodePools[0].version",
    ),
    of(GKE_POOL, { version: "1.36." }, { version: "1.360" }, "version"),
  ],
  "minimal-host": [
    of(
      `${EKS_NODES} ${EKS_NODES_COMPONENTS} ${EKS_MANAGED_NODES}`,
      { amiType: "BOTTLEROCKET_x86_64" },
      { amiType: "AL2_x86_64" },
      "amiType",
    ),
    of(
      EKS_COMPONENT,
      { operatingSystem: "AL2023", nodeGroupOptions: { operatingSystem: "Bottlerocket" } },
      { operatingSystem: "AL2", nodeGroupOptions: { amiType: "AL2_ARM_64" } },
      "operatingSystem",
      "nodeGroupOptions.amiType",
    ),
    of(
      AKS,
      { agentPoolProfiles: [{ osSKU: "AzureLinux" }, {}, { osSKU: "Windows2022" }] },
      { agentPoolProfiles: [{ osSKU: "CBLMariner" }] },
      "agentPoolProfiles[0].osSKU",
    ),
    of(AKS_POOL, { osSKU: "AzureLinux" }, { osSKU: "Windows2019" }, "osSKU"),
    of(AKS_POOL, {}, { osSKU: "Ubuntu" }, "osSKU"),
    of(
      AKS_CLASSIC,
      { defaultNodePool: { osSku: "AzureLinux" } },
      { defaultNodePool: { osSku: "Mariner" } },
      "defaultNodePool.osSku",
    ),
    of(AKS_POOL_CLASSIC, {}, { osSku: "Windows2019" }, "osSku"),
    of(
      GKE,
      { nodeConfig: { imageType: "COS_CONTAINERD" } },
      { nodeConfig: { imageType: "UBUNTU" }, nodePools: [{ nodeConfig: { imageType: "cos" } }] },
      "nodeConfig.imageType",
      "nodePools[0].nodeConfig.imageType",
    ),
    of(GKE_POOL, {}, { nodeConfig: { imageType: "UBUNTU_CONTAINERD" } }, "nodeConfig.imageType"),
  ],
  "node-metadata": [
    of(
      `${INSTANCES} ${INSTANCE_NATIVE} ${TEMPLATE} ${CONFIGURATION} ${CONFIGURATION_NATIVE} ${EKS_NODES_COMPONENTS}`,
      { metadataOptions: { httpTokens: "required", httpPutResponseHopLimit: 1 } },
      { metadataOptions: { httpTokens: "optional", httpPutResponseHopLimit: 2 } },
      "metadataOptions.httpTokens",
      "metadataOptions.httpPutResponseHopLimit",
    ),
    of(INSTANCES, { metadataOptions: { httpEndpoint: "disabled" } }, {}, "metadataOptions.httpTokens"),
    of(
      TEMPLATE_NATIVE,
      { launchTemplateData: { metadataOptions: { httpTokens: "required" } } },
      { launchTemplateData: {} },
      "launchTemplateData.metadataOptions.httpTokens",
    ),
    of(
      "aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults",
      { httpTokens: "no-preference", httpPutResponseHopLimit: -1 },
      { httpTokens: "optional", httpPutResponseHopLimit: 2 },
      "httpTokens",
      "httpPutResponseHopLimit",
    ),
    of(
      "aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults",
      { httpTokens: "required", httpPutResponseHopLimit: 1 },
      { httpTokens: "required", httpPutResponseHopLimit: 2 },
      "httpPutResponseHopLimit",
    ),
    of(
      CONFIGURATION_NATIVE,
      { metadataOptions: { httpEndpoint: "disabled" } },
      {},
      "metadataOptions.httpTokens",
    ),
    of(EKS_NODES_COMPONENTS, {}, { metadataOptions: {} }, "metadataOptions.httpTokens"),
    of(EKS_MANAGED_NODES, { enableIMDSv2: true }, { enableIMDSv2: false }, "enableIMDSv2"),
    of(GKE, { removeDefaultNodePool: true }, {}, "nodeConfig.workloadMetadataConfig.mode"),
    of(
      GKE,
      { nodePools: [{ nodeConfig: { workloadMetadataConfig: { mode: "GKE_METADATA" } } }] },
      { nodePools: [{ nodeConfig: { workloadMetadataConfig: { mode: "GCE_METADATA" } } }] },
      "nodePools[0].nodeConfig.workloadMetadataConfig.mode",
    ),
    of(
      GKE_POOL,
      {
        nodeConfig: {
          workloadMetadataConfig: { mode: "GKE_METADATA" },
          metadata: { "disable-legacy-endpoints": "true" },
        },
      },
      { nodeConfig: { metadata: { "disable-legacy-endpoints": "false" } } },
      "nodeConfig.workloadMetadataConfig.mode",
      'nodeConfig.metadata["disable-legacy-endpoints"]',
    ),
  ],
  "disk-encryption": [
    of(
      "aws:ebs/volume:Volume aws-native:ec2:Volume aws:efs/fileSystem:FileSystem aws-native:efs:FileSystem",
      { encrypted: true },
      {},
      "encrypted",
    ),
    of(
      `${INSTANCES} ${CONFIGURATION}`,
      { rootBlockDevice: { encrypted: true }, ebsBlockDevices: [{ encrypted: true }] },
      { ebsBlockDevices: [{ encrypted: false }] },
      "rootBlockDevice.encrypted",
      "ebsBlockDevices[0].encrypted",
    ),
    of(
      `${TEMPLATE} ${INSTANCE_NATIVE} ${CONFIGURATION_NATIVE}`,
      { blockDeviceMappings: [{ ebs: { encrypted: "true" } }, { virtualName: "ephemeral0" }] },
      { blockDeviceMappings: [{ ebs: { encrypted: "true" } }, { ebs: {} }] },
      "blockDeviceMappings[1].ebs.encrypted",
    ),
    of(
      TEMPLATE_NATIVE,
      { launchTemplateData: {} },
      { launchTemplateData: { blockDeviceMappings: [{ ebs: { encrypted: false } }] } },
      "launchTemplateData.blockDeviceMappings[0].ebs.encrypted",
    ),
    of(
      CONFIGURATION_NATIVE,
      { blockDeviceMappings: [{ noDevice: true }] },
      { blockDeviceMappings: [{ noDevice: false, ebs: { encrypted: false } }] },
      "blockDeviceMappings[0].ebs.encrypted",
    ),
    of(
      FLEET,
      {
        launchSpecifications: [
          { rootBlockDevices: [{ encrypted: true }], ebsBlockDevices: [{ encrypted: true }] },
        ],
      },
      {
        launchSpecifications: [
          { rootBlockDevices: [{ encrypted: true }], ebsBlockDevices: [{}] },
          { rootBlockDevices: [{ encrypted: false }] },
          { ami: "a" },
        ],
      },
      "launchSpecifications[0].ebsBlockDevices[0].encrypted",
      "launchSpecifications[1].rootBlockDevices[0].encrypted",
      "launchSpecifications[2].rootBlockDevices",
    ),
    of("aws:ebs/encryptionByDefault:EncryptionByDefault", {}, { enabled: false }, "enabled"),
    of(
      "azure:compute/managedDisk:ManagedDisk",
      { diskEncryptionSetId: "a" },
      { encryptionSettings: { enabled: false } },
      "encryptionSettings.enabled",
    ),
    of(
      "azure-native:compute:Disk",
      {},
      { encryptionSettingsCollection: { enabled: false } },
      "encryptionSettingsCollection.enabled",
    ),
    of(INSTANCE_NATIVE, { launchTemplate: { id: "a" } }, {}, "blockDeviceMappings"),
    of(
      EKS_COMPONENT,
      { nodeGroupOptions: { nodeRootVolumeEncrypted: true } },
      { nodeRootVolumeEncrypted: false, nodeGroupOptions: { nodeRootVolumeEncrypted: false } },
      "nodeRootVolumeEncrypted",
      "nodeGroupOptions.nodeRootVolumeEncrypted",
    ),
    of(EKS_NODES_COMPONENTS, { nodeRootVolumeEncrypted: true }, { maxSize: 2 }, "nodeRootVolumeEncrypted"),
    of(
      AZURE_MACHINE,
      { securityProfile: { encryptionAtHost: true } },
      {},
      "securityProfile.encryptionAtHost",
    ),
    of(
      AZURE_SCALE_SET,
      { virtualMachineProfile: { securityProfile: { encryptionAtHost: true } } },
      {},
      "virtualMachineProfile.securityProfile.encryptionAtHost",
    ),
    of(
      `${AZURE_MACHINES_CLASSIC} ${AZURE_SCALE_SETS_CLASSIC} ${AZURE_SCALE_SET_MIXED}`,
      { encryptionAtHostEnabled: true },
      {},
      "encryptionAtHostEnabled",
    ),
    of(
      AKS,
      { agentPoolProfiles: [{ enableEncryptionAtHost: true }] },
      { agentPoolProfiles: [{}] },
      "agentPoolProfiles[0].enableEncryptionAtHost",
    ),
    of(AKS_POOL, {}, { enableEncryptionAtHost: false }, "enableEncryptionAtHost"),
    of(
      AKS,
      { diskEncryptionSetID: "a", agentPoolProfiles: [{}] },
      { diskEncryptionSetID: "a", agentPoolProfiles: [{ enableEncryptionAtHost: false }] },
      "agentPoolProfiles[0].enableEncryptionAtHost",
    ),
    of(
      AKS_CLASSIC,
      { diskEncryptionSetId: "a", defaultNodePool: {} },
      { diskEncryptionSetId: "", defaultNodePool: {} },
      "defaultNodePool.hostEncryptionEnabled",
    ),
    of(
      AZURE_MACHINE,
      { storageProfile: { osDisk: { managedDisk: { diskEncryptionSet: { id: "a" } } } } },
      { storageProfile: { osDisk: { managedDisk: {} } } },
      "securityProfile.encryptionAtHost",
    ),
    of(
      AZURE_MACHINES_CLASSIC,
      { osDisk: { securityEncryptionType: "VMGuestStateOnly" } },
      { osDisk: {} },
      "encryptionAtHostEnabled",
    ),
    of(
      AKS_CLASSIC,
      { defaultNodePool: { hostEncryptionEnabled: true } },
      { defaultNodePool: {} },
      "defaultNodePool.hostEncryptionEnabled",
    ),
    of(
      AKS_POOL_CLASSIC,
      { enableHostEncryption: true },
      { enableHostEncryption: false },
      "enableHostEncryption",
    ),
    of(
      AKS_POOL_CLASSIC,
      { nodeCount: 2 },
      { nodeCount: 2, hostEncryptionEnabled: false },
      "hostEncryptionEnabled",
    ),
  ],
  "registry-scan": [
    of(
      ECR,
      { imageScanningConfiguration: { scanOnPush: true } },
      {},
      "imageScanningConfiguration.scanOnPush",
    ),
    of(
      GAR,
      {},
      { vulnerabilityScanningConfig: { enablementConfig: "DISABLED" } },
      "vulnerabilityScanningConfig.enablementConfig",
    ),
    of(
      ACR,
      {},
      { policies: { quarantinePolicy: { status: "disabled" } } },
      "policies.quarantinePolicy.status",
    ),
    of(
      ACR_CLASSIC,
      { quarantinePolicyEnabled: true },
      { quarantinePolicyEnabled: false },
      "quarantinePolicyEnabled",
    ),
    of(
      "azure-native:security:Pricing",
      { pricingName: "Containers", pricingTier: "Standard" },
      { pricingName: "Containers", pricingTier: "Free" },
      "pricingTier",
    ),
    of(
      "azure:securitycenter/subscriptionPricing:SubscriptionPricing",
      { resourceType: "Arm", tier: "Free" },
      { resourceType: "ContainerRegistry", tier: "Free" },
      "tier",
    ),
  ],
  "registry-immutable": [
    of(
      ECR,
      { imageTagMutability: "IMMUTABLE" },
      { imageTagMutability: "IMMUTABLE_WITH_EXCLUSION" },
      "imageTagMutability",
    ),
    of(
      ECR_TEMPLATE,
      { appliedFors: ["CREATE_ON_PUSH"], imageTagMutability: "IMMUTABLE" },
      { appliedFors: ["REPLICATION", "PULL_THROUGH_CACHE"], imageTagMutability: "MUTABLE" },
      "imageTagMutability",
    ),
    of(
      ECR_TEMPLATE,
      { appliedFor: ["PULL_THROUGH_CACHE"], imageTagMutability: "MUTABLE" },
      { appliedFor: ["CREATE_ON_PUSH"] },
      "imageTagMutability",
    ),
    of(
      ECR_TEMPLATE,
      { appliedFors: ["PULL_THROUGH_CACHE"] },
      { appliedFors: [], imageTagMutability: "MUTABLE" },
      "imageTagMutability",
    ),
    of(
      GAR,
      { format: "DOCKER", dockerConfig: { immutableTags: true } },
      { format: "docker" },
      "dockerConfig.immutableTags",
    ),
    of(
      GAR,
      { format: "DOCKER", mode: "REMOTE_REPOSITORY" },
      { format: "DOCKER" },
      "dockerConfig.immutableTags",
    ),
  ],
  "registry-public": [
    of(
      "aws:ecr/repositoryPolicy:RepositoryPolicy aws:ecr/registryPolicy:RegistryPolicy",
      { policy: policy({ AWS: "arn:aws:iam::111122223333:root" }) },
      { policy: policy("*") },
      "policy",
    ),
    of(
      ECR_POLICY,
      { policy: policy("*", { Condition: { StringEquals: { "aws:PrincipalOrgID": "o-1" } } }) },
      { policy: policy({ AWS: ["*"] }, { Condition: { StringNotEquals: { "aws:PrincipalOrgID": "o-1" } } }) },
      "policy",
    ),
    of(
      ECR_POLICY,
      under("StringLike", "aws:PrincipalArn", "arn:aws:iam::111122223333:role/ci-*"),
      under("StringLike", "aws:PrincipalArn", "arn:aws:iam::*:*"),
      "policy",
    ),
    of(
      ECR_POLICY,
      under("ArnLike", "aws:PrincipalArn", ["arn:aws:iam::111122223333:role/ci"]),
      under("ArnLike", "aws:PrincipalArn", ["arn:aws:iam::*:role/ci"]),
      "policy",
    ),
    of(
      ECR_POLICY,
      under("ArnLike", "aws:SourceArn", "arn:aws:s3:::bucket/*"),
      under("ArnLike", "aws:SourceArn", "arn:aws:s3:::*"),
      "policy",
    ),
    // To operators of ARNs, a star is never a letter.
    of(
      ECR_POLICY,
      under("StringEquals", "aws:PrincipalArn", "arn:aws:iam::*:role/ci"),
      under("ArnEquals", "aws:PrincipalArn", "arn:aws:iam::*:role/ci"),
      "policy",
    ),
    of(
      ECR_POLICY,
      under("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", "o-a1/r-ab/*"),
      under("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", ["o-a1/r-ab/*", "o-*/r-ab/*"]),
      "policy",
    ),
    of(
      ECR_POLICY,
      under("StringLike", "aws:PrincipalOrgID", "o-a1"),
      under("StringLike", "aws:PrincipalOrgID", "o-*"),
      "policy",
    ),
    of(
      ECR_POLICY,
      under("StringLike", "aws:userid", "AROAEXAMPLE:*"),
      under("StringLike", "aws:PrincipalAccount", "????????????"),
      "policy",
    ),
    of(
      ECR_POLICY,
      under("StringLike", "aws:PrincipalArn", "arn:aws:iam::1:*"),
      under("StringLike", "aws:PrincipalArn", "arn:*"),
      "policy",
    ),
    of(
      "aws-native:ecr:RegistryPolicy",
      { policyText: JSON.parse(under("StringLike", "aws:PrincipalOrgID", "o-a1").policy) },
      { policyText: JSON.parse(policy("*")) },
      "policyText",
    ),
    of(
      ECR_TEMPLATE,
      { repositoryPolicy: policy({ AWS: "arn:aws:iam::111122223333:root" }) },
      { repositoryPolicy: policy("*") },
      "repositoryPolicy",
    ),
    of(
      ACR,
      { publicNetworkAccess: "Disabled", networkRuleSet: { ipRules: [{ iPAddressOrRange: WORLD }] } },
      {
        publicNetworkAccess: "Enabled",
        networkRuleSet: { defaultAction: "Deny", ipRules: [{ iPAddressOrRange: WORLD }] },
      },
      "networkRuleSet.ipRules[0].iPAddressOrRange",
    ),
    of(
      ACR_CLASSIC,
      { publicNetworkAccessEnabled: false, networkRuleSet: { ipRules: [{ ipRange: WORLD }] } },
      {
        publicNetworkAccessEnabled: true,
        networkRuleSet: { defaultAction: "Deny", ipRules: [{ ipRange: WORLD }] },
      },
      "networkRuleSet.ipRules[0].ipRange",
    ),
    of(
      "aws-native:ecr:Repository",
      { repositoryPolicyText: JSON.parse(policy({ AWS: "111122223333" })) },
      { repositoryPolicyText: JSON.parse(policy({ AWS: "*" })) },
      "repositoryPolicyText",
    ),
    of(
      ACR,
      { publicNetworkAccess: "Disabled" },
      { adminUserEnabled: true, anonymousPullEnabled: true },
      "publicNetworkAccess",
      "adminUserEnabled",
      "anonymousPullEnabled",
    ),
    of(
      ACR,
      { networkRuleSet: { defaultAction: "Deny", ipRules: [{ iPAddressOrRange: OFFICE }] } },
      { networkRuleSet: { defaultAction: "Deny", ipRules: [{ iPAddressOrRange: WORLD }] } },
      "networkRuleSet.ipRules[0].iPAddressOrRange",
    ),
    of(
      ACR_CLASSIC,
      { networkRuleSet: [{ defaultAction: "Deny", ipRules: [{ ipRange: OFFICE }] }] },
      { networkRuleSet: [{ defaultAction: "Deny", ipRules: [{ ipRange: WORLD }] }] },
      "networkRuleSet[0].ipRules[0].ipRange",
    ),
    of(
      ACR_CLASSIC,
      { networkRuleSet: [{ defaultAction: "Deny" }] },
      { publicNetworkAccessEnabled: true, adminEnabled: true, anonymousPullEnabled: true },
      "publicNetworkAccessEnabled",
      "adminEnabled",
      "anonymousPullEnabled",
    ),
    of(
      "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember",
      { member: "user:a@example.org" },
      { member: "allUsers" },
      "member",
    ),
    of(
      "gcp:artifactregistry/repositoryIamBinding:RepositoryIamBinding",
      { members: ["user:a@example.org"] },
      { members: ["user:a@example.org", "allAuthenticatedUsers"] },
      "members[1]",
    ),
    of(
      "gcp:artifactregistry/repositoryIamPolicy:RepositoryIamPolicy",
      { policyData: JSON.stringify({ bindings: [{ members: ["user:a@example.org"] }] }) },
      { policyData: JSON.stringify({ bindings: [{ members: ["allUsers"] }] }) },
      "policyData",
    ),
  ],
  "group-maximum": [
    of(
      "aws:autoscaling/group:Group aws-native:autoscaling:AutoScalingGroup",
      { maxSize: "10" },
      { maxSize: 11 },
      "maxSize",
    ),
    of(
      EKS_NODES,
      { scalingConfig: { maxSize: 3 } },
      { scalingConfig: { maxSize: 30 } },
      "scalingConfig.maxSize",
    ),
    of("aws:eks/nodeGroup:NodeGroup", { scalingConfig: { maxSize: 3 } }, {}, "scalingConfig.maxSize"),
    of(
      EKS_MANAGED_NODES,
      { scalingConfig: { maxSize: 3 } },
      { scalingConfig: { maxSize: 30 } },
      "scalingConfig.maxSize",
    ),
    of(
      EKS_COMPONENT,
      { nodeGroupOptions: { maxSize: 3 } },
      { nodeGroupOptions: { maxSize: 30 } },
      "nodeGroupOptions.maxSize",
    ),
    of(
      "aws:ec2/fleet:Fleet aws-native:ec2:Ec2Fleet",
      { targetCapacitySpecification: { totalTargetCapacity: 3 } },
      { targetCapacitySpecification: { totalTargetCapacity: 30 } },
      "targetCapacitySpecification.totalTargetCapacity",
    ),
    of(FLEET, { targetCapacity: 3 }, { targetCapacity: 30 }, "targetCapacity"),
    of(`${EKS_COMPONENT} ${EKS_NODES_COMPONENTS}`, { maxSize: 3 }, { maxSize: 30 }, "maxSize"),
    of(
      AKS,
      { agentPoolProfiles: [{ enableAutoScaling: true, maxCount: 5 }] },
      { agentPoolProfiles: [{ enableAutoScaling: true }, { count: 11 }] },
      "agentPoolProfiles[0].maxCount",
      "agentPoolProfiles[1].count",
    ),
    of(AKS_POOL, { count: 3 }, { enableAutoScaling: true, maxCount: 11 }, "maxCount"),
    of(
      AKS_CLASSIC,
      { defaultNodePool: { nodeCount: 3 } },
      { defaultNodePool: { autoScalingEnabled: true } },
      "defaultNodePool.maxCount",
    ),
    of(AKS_POOL_CLASSIC, { nodeCount: 3 }, { nodeCount: 11 }, "nodeCount"),
    of(AZURE_SCALE_SET, { sku: { capacity: 2 } }, { sku: { capacity: 20 } }, "sku.capacity"),
    of(
      `${AZURE_SCALE_SETS_CLASSIC} ${AZURE_SCALE_SET_MIXED}`,
      { instances: 2 },
      { instances: 20 },
      "instances",
    ),
    of(
      "azure-native:monitor:AutoscaleSetting azure-native:insights:AutoscaleSetting azure:monitoring/autoscaleSetting:AutoscaleSetting",
      { profiles: [{ capacity: { maximum: "10" } }] },
      { profiles: [{ capacity: { maximum: "11" } }, {}] },
      "profiles[0].capacity.maximum",
      "profiles[1].capacity.maximum",
    ),
    of(
      GKE,
      { initialNodeCount: 1 },
      {
        nodePools: [{ autoscaling: { maxNodeCount: 11 } }],
        clusterAutoscaling: { enabled: true, resourceLimits: [{ resourceType: "cpu" }] },
      },
      "nodePools[0].autoscaling.maxNodeCount",
      "clusterAutoscaling.resourceLimits",
      "clusterAutoscaling.resourceLimits[0].maximum",
    ),
    of(
      GKE_POOL,
      { autoscaling: { totalMaxNodeCount: 10 }, nodeLocations: ["a", "b", "c"] },
      { autoscaling: { maxNodeCount: 4 }, nodeLocations: ["a", "b", "c"] },
      "autoscaling.maxNodeCount",
    ),
    of(GKE_POOL, { nodeCount: 3 }, { autoscaling: { minNodeCount: 1 } }, "autoscaling.maxNodeCount"),
    of(
      "gcp:compute/autoscaler:Autoscaler gcp:compute/regionAutoscaler:RegionAutoscaler",
      { autoscalingPolicy: { maxReplicas: 10 } },
      { autoscalingPolicy: {} },
      "autoscalingPolicy.maxReplicas",
    ),
    of(
      "gcp:compute/instanceGroupManager:InstanceGroupManager gcp:compute/regionInstanceGroupManager:RegionInstanceGroupManager",
      { targetSize: 3 },
      { targetSize: 11 },
      "targetSize",
    ),
  ],
  "secret-in-user-data": [
    of(
      `${INSTANCES} ${INSTANCE_NATIVE} ${TEMPLATE} ${CONFIGURATION} ${CONFIGURATION_NATIVE} aws:lightsail/instance:Instance`,
      { userData: NO_SECRET, userDataBase64: base64(NO_SECRET) },
      { userData: SCRIPT, userDataBase64: packed(SCRIPT) },
      "userData",
      "userDataBase64",
    ),
    of(
      TEMPLATE_NATIVE,
      { launchTemplateData: { userData: base64(NO_SECRET) } },
      { launchTemplateData: { userData: base64(SCRIPT) } },
      "launchTemplateData.userData",
    ),
    of(
      FLEET,
      { launchSpecifications: [{ userData: NO_SECRET }] },
      { launchSpecifications: [{ userData: NO_SECRET }, { userData: base64(SCRIPT) }] },
      "launchSpecifications[1].userData",
    ),
    of(
      AZURE_SCALE_SET_MIXED,
      { osProfile: { customData: base64(NO_SECRET) }, userDataBase64: base64(NO_SECRET) },
      { osProfile: { customData: base64(SCRIPT) }, userDataBase64: base64(SCRIPT) },
      "osProfile.customData",
      "userDataBase64",
    ),
    of(
      "azure-native:compute:VirtualMachineExtension azure-native:compute:VirtualMachineScaleSetExtension",
      {
        settings: { commandToExecute: "./run.sh", script: base64(NO_SECRET) },
        protectedSettings: { commandToExecute: "DB_PASSWORD=hunter22 ./run.sh" },
      },
      {
        settings: {
          commandToExecute: "DB_PASSWORD=hunter22 ./run.sh",
          script: base64(SCRIPT),
          storageAccountKey: "hunter22",
        },
      },
      "settings.commandToExecute",
      "settings.script",
      "settings.storageAccountKey",
    ),
    of(
      "azure:compute/extension:Extension azure:compute/virtualMachineScaleSetExtension:VirtualMachineScaleSetExtension",
      {
        settings: '{"commandToExecute": "./run.sh"}',
        protectedSettings: '{"commandToExecute": "DB_PASSWORD=hunter22 ./run.sh"}',
      },
      { settings: '{"commandToExecute": "DB_PASSWORD=hunter22 ./run.sh"}' },
      "settings.commandToExecute",
    ),
    of(
      "azure-native:compute:VirtualMachineRunCommand azure:compute/runCommand:RunCommand",
      { source: { script: NO_SECRET }, protectedParameters: [{ name: "DB_PASSWORD", value: "hunter22" }] },
      { source: { script: SCRIPT } },
      "source.script",
    ),
    of(
      "azure:compute/virtualMachine:VirtualMachine",
      { osProfile: { customData: NO_SECRET } },
      { osProfile: { customData: SCRIPT } },
      "osProfile.customData",
    ),
    of(
      EKS_COMPONENT,
      { nodeGroupOptions: { nodeUserData: NO_SECRET } },
      { nodeGroupOptions: { nodeUserData: SCRIPT } },
      "nodeGroupOptions.nodeUserData",
    ),
    of(
      `${EKS_COMPONENT} ${EKS_NODES_COMPONENTS} ${EKS_MANAGED_NODES}`,
      { nodeUserData: NO_SECRET },
      { nodeUserData: SCRIPT, nodeUserDataOverride: SCRIPT },
      "nodeUserData",
      "nodeUserDataOverride",
    ),
    of(
      AZURE_MACHINE,
      { osProfile: { customData: base64(NO_SECRET) } },
      { osProfile: { customData: base64(SCRIPT) }, userData: base64(SCRIPT) },
      "osProfile.customData",
      "userData",
    ),
    of(
      AZURE_SCALE_SET,
      { virtualMachineProfile: { userData: base64(NO_SECRET) } },
      { virtualMachineProfile: { osProfile: { customData: base64(SCRIPT) } } },
      "virtualMachineProfile.osProfile.customData",
    ),
    of(
      `${AZURE_MACHINES_CLASSIC} ${AZURE_SCALE_SETS_CLASSIC}`,
      { customData: base64(NO_SECRET) },
      { customData: base64(SCRIPT) },
      "customData",
    ),
    of(
      `${GOOGLE_MACHINES} gcp:compute/projectMetadata:ProjectMetadata`,
      { metadataStartupScript: NO_SECRET, metadata: { "enable-oslogin": "TRUE" } },
      { metadataStartupScript: SCRIPT, metadata: { "startup-script": SCRIPT, db_password: "hunter22" } },
      "metadataStartupScript",
      'metadata["startup-script"]',
      "metadata.db_password",
    ),
    of(
      GKE,
      { nodeConfig: { metadata: { a: "b" } } },
      { nodeConfig: { metadata: { a: SCRIPT } }, nodePools: [{ nodeConfig: { metadata: { a: SCRIPT } } }] },
      "nodeConfig.metadata.a",
      "nodePools[0].nodeConfig.metadata.a",
    ),
    of(GKE_POOL, {}, { nodeConfig: { metadata: { a: SCRIPT } } }, "nodeConfig.metadata.a"),
    of(
      "gcp:compute/projectMetadataItem:ProjectMetadataItem",
      { key: "a", value: "b" },
      { key: "startup-script", value: SCRIPT },
      "value",
    ),
  ],
  "secret-in-function": [
    of(
      "aws:lambda/function:Function aws-native:lambda:Function",
      { environment: { variables: { DB_SECRET: "arn:aws:secretsmanager:eu-west-1:1:secret:a", MODE: "b" } } },
      { environment: { variables: { DB_PASSWORD: "hunter22" } } },
      "environment.variables.DB_PASSWORD",
    ),
    of(
      "aws:ecs/taskDefinition:TaskDefinition aws-native:ecs:TaskDefinition",
      { containerDefinitions: "[]" },
      { containerDefinitions: '[{"environment":[{"name":"API_KEY","value":"hunter22"}]}]' },
      "containerDefinitions[0].environment[0].value",
    ),
    of(
      "azure-native:containerinstance:ContainerGroup",
      { containers: [{ environmentVariables: [{ name: "TOKEN", secureValue: "a" }] }] },
      { containers: [{ environmentVariables: [{ name: "TOKEN", value: "hunter22" }] }] },
      "containers[0].environmentVariables[0].value",
    ),
    of(
      "azure-native:app:ContainerApp",
      { template: { containers: [{ env: [{ name: "TOKEN", secretRef: "a" }] }] } },
      { template: { containers: [{ env: [{ name: "TOKEN", value: "hunter22" }] }] } },
      "template.containers[0].env[0].value",
    ),
    of(
      "gcp:cloudrunv2/service:Service",
      { template: { containers: [{ envs: [{ name: "TOKEN", valueSource: {} }] }] } },
      { template: { containers: [{ envs: [{ name: "TOKEN", value: "hunter22" }] }] } },
      "template.containers[0].envs[0].value",
    ),
    of(
      "gcp:cloudrunv2/job:Job",
      {},
      { template: { template: { containers: [{ envs: [{ name: "TOKEN", value: "hunter22" }] }] } } },
      "template.template.containers[0].envs[0].value",
    ),
    of(
      "aws:codebuild/project:Project",
      {
        environment: {
          environmentVariables: [{ name: "TOKEN", value: "ci/token", type: "SECRETS_MANAGER" }],
        },
      },
      { environment: { environmentVariables: [{ name: "TOKEN", value: "hunter22" }] } },
      "environment.environmentVariables[0].value",
    ),
    of(
      "aws:batch/jobDefinition:JobDefinition",
      { containerProperties: '{"secrets":[{"name":"TOKEN","valueFrom":"arn:aws:ssm:a"}]}' },
      { containerProperties: '{"environment":[{"name":"TOKEN","value":"hunter22"}]}' },
      "containerProperties.environment[0].value",
    ),
    of(
      "awsx:ecs:FargateService",
      { taskDefinitionArgs: { container: { environment: [{ name: "MODE", value: "a" }] } } },
      { taskDefinitionArgs: { container: { environment: [{ name: "TOKEN", value: "hunter22" }] } } },
      "taskDefinitionArgs.container.environment[0].value",
    ),
    of(
      "azure:containerservice/group:Group",
      { containers: [{ secureEnvironmentVariables: { TOKEN: "hunter22" } }] },
      { containers: [{ environmentVariables: { TOKEN: "hunter22" } }] },
      "containers[0].environmentVariables.TOKEN",
    ),
    of(
      "azure-native:web:WebApp",
      { siteConfig: { appSettings: [{ name: "TOKEN", value: "@Microsoft.KeyVault(SecretUri=a)" }] } },
      {
        siteConfig: {
          appSettings: [{ name: "STORE", value: `AccountName=a;AccountKey=${"a".repeat(86)}==` }],
        },
      },
      "siteConfig.appSettings[0].value",
    ),
    of(
      "azure-native:web:WebAppApplicationSettings azure-native:web:WebAppApplicationSettingsSlot",
      { properties: { DB_PASSWORD: IN_VAULT, MODE: "b" } },
      { properties: { DB_PASSWORD: "hunter22", STORE: `AccountKey=${"a".repeat(86)}==` } },
      "properties.DB_PASSWORD",
      "properties.STORE",
    ),
    of(
      "azure-native:web:WebAppConnectionStrings azure-native:web:WebAppConnectionStringsSlot",
      { properties: { db: { type: "SQLAzure", value: IN_VAULT } } },
      { properties: { db: { type: "SQLAzure", value: DATABASE } } },
      "properties.db.value",
    ),
    of(
      "azure-native:web:WebApp",
      {
        siteConfig: {
          connectionStrings: [
            { name: "db", connectionString: IN_VAULT },
            {
              name: "own",
              connectionString: "Server=tcp:s;Authentication=Active Directory Managed Identity;",
            },
          ],
        },
      },
      { siteConfig: { connectionStrings: [{ name: "db", connectionString: DATABASE }] } },
      "siteConfig.connectionStrings[0].connectionString",
    ),
    of(
      "azure:appservice/linuxWebApp:LinuxWebApp azure:appservice/windowsWebApp:WindowsWebApp",
      { connectionStrings: [{ name: "db", type: "SQLAzure", value: IN_VAULT }] },
      { connectionStrings: [{ name: "db", type: "SQLAzure", value: DATABASE }] },
      "connectionStrings[0].value",
    ),
    of(
      "aws:elasticbeanstalk/environment:Environment aws:elasticbeanstalk/configurationTemplate:ConfigurationTemplate",
      {
        settings: [
          { namespace: "aws:autoscaling:asg", name: "MaxSize", value: "4" },
          { namespace: "a", name: "DB_PASSWORD", value: "arn:aws:secretsmanager:eu-west-1:1:secret:a" },
        ],
      },
      {
        settings: [
          {
            namespace: "aws:elasticbeanstalk:application:environment",
            name: "DB_PASSWORD",
            value: "hunter22",
          },
        ],
      },
      "settings[0].value",
    ),
    // Elsewhere these are anything.
    of(
      "aws:ssm/document:Document",
      { settings: [{ name: "DB_PASSWORD", value: "hunter22" }], properties: { DB_PASSWORD: "hunter22" } },
      { environment: { DB_PASSWORD: "hunter22" } },
      "environment.DB_PASSWORD",
    ),
    of(
      "gcp:cloudfunctionsv2/function:Function",
      { serviceConfig: { secretEnvironmentVariables: [{ key: "TOKEN", secret: "a" }] } },
      { serviceConfig: { environmentVariables: { TOKEN: "hunter22" } } },
      "serviceConfig.environmentVariables.TOKEN",
    ),
  ],
};

const found = (id: string, type: string, props: Properties) => {
  const control = clouds.find((each) => each.id === id)!;
  return [...control.find({ type, name: "a", props }, settings)];
};

const pathsOf = (id: string, type: string, props: Properties) =>
  found(id, type, props)
    .map(({ path }) => path)
    .toSorted();

/** A tree with `UNKNOWN` in one place, for each of its places. */
function* blanked(value: unknown, path = ""): Generator<{ path: string; value: unknown }> {
  if (path !== "") yield { path, value: UNKNOWN };
  if (Array.isArray(value)) {
    for (const [i, each] of value.entries())
      for (const { path: at, value: other } of blanked(each, `${path}[${i}]`))
        yield { path: at, value: value.with(i, other) };
  } else if (isObject(value)) {
    for (const [key, each] of Object.entries(value)) {
      const own = /^\w+$/.test(key) ? (path === "" ? key : `${path}.${key}`) : `${path}["${key}"]`;
      for (const { path: at, value: other } of blanked(each, own))
        yield { path: at, value: { ...value, [key]: other } };
    }
  }
}

const isWithin = (path: string, place: string) =>
  path === place || path.startsWith(`${place}.`) || path.startsWith(`${place}[`);

const flat = Object.entries(CASES).flatMap(([id, cases]) =>
  cases.flatMap(({ types, ...rest }, i) => types.map((type) => ({ id, type, i, ...rest }))),
);

test("every type that a control judges has a case", () => {
  const alone = {
    "registry-public": ["aws:ecrpublic/repository:Repository", "aws-native:ecr:PublicRepository"],
  };
  for (const { id, types } of clouds) {
    const tested = [...(CASES[id] ?? []).flatMap((each) => each.types), ...(alone[id as never] ?? [])];
    // What is looked for in whichever resource of a provider is tested in some of them.
    const names = tested.map((type) =>
      types.includes(`${type.split(":")[0]}:*`) ? `${type.split(":")[0]}:*` : type,
    );
    expect(new Set(names), id).toEqual(new Set(types));
  }
  expect(Object.keys(CASES).toSorted()).toEqual(clouds.map(({ id }) => id).toSorted());
});

describe.each(flat)("$id of $type, case $i", ({ id, type, good, bad, paths }) => {
  test("the good one breaks nothing, whatever of it is unknown", () => {
    expect(pathsOf(id, type, good)).toEqual([]);
    for (const { path, value } of blanked(good))
      expect(pathsOf(id, type, value as Properties), `${path} unknown`).toEqual([]);
  });

  test("the bad one breaks it where it is wrong, and what is unknown hides itself alone", () => {
    const all = [...paths].toSorted();
    expect(pathsOf(id, type, bad)).toEqual(all);
    for (const { path, value } of blanked(bad)) {
      const rest = pathsOf(id, type, value as Properties);
      expect(all, `${path} unknown`).toEqual(expect.arrayContaining(rest));
      if (paths.includes(path)) expect(rest).toEqual(all.filter((each) => !isWithin(each, path)));
    }
  });

  test("no value is said", () => {
    for (const { what } of found(id, type, bad)) expect(what ?? "").not.toMatch(/hunter22|203\.0|0\.0\.0\.0/);
  });
});

test("a repository of the public gallery is public", () => {
  for (const type of ["aws:ecrpublic/repository:Repository", "aws-native:ecr:PublicRepository"])
    expect(pathsOf("registry-public", type, { repositoryName: "a" })).toEqual(["repositoryName"]);
});

test.each([
  "azure-native:containerservice/v20240101:ManagedCluster",
  "azure-native:containerservice/v20240402preview:ManagedCluster",
  "azure-native_containerservice_v20240101:containerservice:ManagedCluster",
])("%s is judged as the one without a version", (type) => {
  expect(pathsOf("cluster-network-policy", type, {})).toEqual(["networkProfile.networkPolicy"]);
});

test("a cluster of Autopilot is judged by what it leaves open alone", () => {
  const broken = clouds.flatMap(({ id }) =>
    found(id, GKE, { enableAutopilot: true }).length > 0 ? [id] : [],
  );
  expect(broken).toEqual(["public-endpoint", "private-nodes", "cluster-encryption"]);
});

test("a setting is judged in whichever version of Azure's API", () => {
  const props = { properties: { DB_PASSWORD: "hunter22" } };
  expect(
    pathsOf("secret-in-function", "azure-native:web/v20240401:WebAppApplicationSettings", props),
  ).toEqual(["properties.DB_PASSWORD"]);
});

test("a condition that is not known yet may narrow", () => {
  for (const Condition of [
    UNKNOWN,
    { StringLike: UNKNOWN },
    { StringLike: { "aws:PrincipalArn": UNKNOWN } },
  ]) {
    const policyText = { Statement: [{ Effect: "Allow", Principal: "*", Condition }] };
    expect(pathsOf("registry-public", "aws-native:ecr:RegistryPolicy", { policyText })).toEqual([]);
  }
});

describe("ranges", () => {
  const isWorld = (...texts: string[]) =>
    [
      ...worldIn(
        texts.map((value, i) => ({ path: String(i), value })),
        "list",
      ),
    ].length > 0;

  test.each([
    [["0.0.0.0/0"]],
    [["10.1.2.3/0"]],
    [["::/0"]],
    [["0.0.0.0/1"]],
    [["8.0.0.0/7"]],
    [["/0"]],
    [["::/1"]],
    [["AzureCloud.WestEurope"]],
    [["2000::/3"]],
    [["::ffff:0:0/96"]],
    [["::ffff:0.0.0.0/97"]],
    [["*"]],
    [["INTERNET"]],
    [["203.0.113.0/24,0.0.0.0/0"]],
    [["1.0.0.0/8", "2.0.0.0/8"]],
    [Array.from({ length: 32 }, (_, i) => `2${i.toString(16).padStart(3, "0")}::/16`)],
  ])("%j is the world", (texts) => expect(isWorld(...texts)).toBe(true));

  test.each([
    [["203.0.113.0/24"]],
    [["9.0.0.0/8"]],
    [["9.0.0.0/8", "9.1.0.0/16", "9.0.0.0/9"]],
    [["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]],
    [["fc00::/7", "fe80::/10", "2001:db8::/32"]],
    [["VirtualNetwork", "AzureLoadBalancer", "not/a/range", "1.2.3.4/33", ""]],
  ])("%j is not", (texts) => expect(isWorld(...texts)).toBe(false));

  test("addresses are read", () => {
    expect(parseRange("0.0.1.2")).toEqual({ isV6: false, from: 258n, to: 259n });
    expect(parseRange("0.0.1.2/24")).toEqual({ isV6: false, from: 256n, to: 512n });
    expect(parseRange("::1")).toEqual({ isV6: true, from: 1n, to: 2n });
    expect(parseRange("1::1:2/128")?.from).toBe((1n << 112n) + 65538n);
    expect(parseRange("::ffff:1.2.3.4")).toEqual(parseRange("1.2.3.4"));
    expect(parseRange("::1.2.3.4")).toEqual(parseRange("::102:304"));
    expect(parseRange("300.0.0.1")).toBeUndefined();
  });
});

describe("credentials in user data", () => {
  const holds = (text: string) =>
    found("secret-in-user-data", "aws:ec2/instance:Instance", { userData: text }).length > 0;
  const mail = (text: string) =>
    `Content-Type: multipart/mixed; boundary="x"\n\n--x\nContent-Transfer-Encoding: base64\n\n${base64(text).replace(/.{20}/g, "$&\n")}\n--x--\n`;

  test.each([
    "PASSWORD=hunter22",
    "export PGPASSWORD_X=1; DB_PASSWORD='hunter22'",
    "mysql --password=hunter22",
    "vault login --token hunter22",
    "- name: API_TOKEN=hunter22",
    '{"dbPassword": "hunter22"}',
    '{\\"dbPassword\\": \\"hunter22\\"}',
    '$Password = "hunter22"',
    "spring.datasource.password: hunter22",
    "kubeadm join 10.0.0.1:6443 --discovery-token-unsafe-skip-ca-verification abcdef.0123456789abcdef",
    `token: K10${"0".repeat(64)}::server:${"1".repeat(32)}`,
    "docker login -u bob -p hunter22x r.example.com",
    "curl -u admin:hunter22x https://x",
    "mysql -uroot -phunter22x",
    "echo 'root:hunter22x' | chpasswd",
    "curl -H 'Authorization: Basic dXNlcjpodW50ZXIy' https://x",
    "//registry.npmjs.org/:_authToken=npm_abcdefgh1234",
    "machine h login bob password hunter22x",
    '#cloud-config\nchpasswd: {list: "root:hunter22x"}\n',
    "#cloud-config\nchpasswd:\n  expire: false\n  list: |\n    root:hunter22x\n",
    "net user admin hunter22x /add",
    '$s = ConvertTo-SecureString "hunter22x" -AsPlainText -Force',
    "passwd: $6$rounds=4096$saltsaltsalt$abcdefghijklmnopqrstuv",
    "-----BEGIN RSA PRIVATE KEY-----",
    "curl https://user:hunter22@example.org/x",
    "aws configure set x AKIAIOSFODNN7EXAMPLE",
    `DefaultEndpointsProtocol=https;AccountKey=${"a".repeat(86)}==`,
    base64(SCRIPT),
    packed(SCRIPT),
    mail(SCRIPT),
    base64(mail(packed(SCRIPT))),
    `write_files:\n- encoding: gz+b64\n  content: ${packed(SCRIPT)}\n  path: /a`,
  ])("%j holds one", (text) => expect(holds(text)).toBe(true));

  test.each([
    NO_SECRET,
    'TOKEN=$(curl -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 21600" http://169.254.169.254/latest/api/token)',
    'curl -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/',
    "DB_PASSWORD=`fetch`\nPASSWORD=\nTOKEN=$" + "{1}\n: $" + "{TOKEN:?missing} $" + "{TOKEN:-}",
    "ssh_pwauth: false\nlock_passwd: true\nchpasswd: { expire: false }",
    "password = {{ vault }}",
    'users: [{name: ops, sudo: "ALL=(ALL) NOPASSWD:ALL"}]',
    "echo 'ops ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ops",
    'users: [{name: ops, passwd: "!"}]',
    "echo 'root:*' | chpasswd -e",
    "export KMS_MASTER_KEY=alias/app",
    "helm upgrade --install db bitnami/postgresql --set auth.existingSecret=db-creds --set global.imagePullSecret=regcred",
    '#cloud-config\nchpasswd: {list: "root:RANDOM"}\n',
    'docker login -u bob -p "$PASSWORD" r.example.com',
    "MYSQL_RANDOM_ROOT_PASSWORD=1",
    "docker run -v /etc/secret:/run/secret nginx",
    "API_TOKEN: arn:aws:secretsmanager:eu-west-1:1:secret:a",
    "wget https://cdn.example.org/system.serviceaccounts1.tar",
    base64(NO_SECRET),
    packed(NO_SECRET),
    "/usr/local/share/ca-certificates/extra-long-name/update",
  ])("%j holds none", (text) => expect(holds(text)).toBe(false));

  test("long texts take no long time", () => {
    for (const text of [
      "a=",
      "A",
      "\\",
      "- ",
      "--a ",
      "_",
      "password=$",
      "0123456789abcdef\n",
      "curl -u ",
      "chpasswd: ",
      "machine a login ",
      '"auths": {',
      "?sv=",
    ])
      holds(text.repeat(2 ** 18 / text.length));
  });
});

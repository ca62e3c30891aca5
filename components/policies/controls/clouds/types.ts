/** Pulumi's tokens of what several controls judge. */
export const EKS = "aws:eks/cluster:Cluster";
export const EKS_NATIVE = "aws-native:eks:Cluster";
export const EKS_COMPONENT = "eks:index:Cluster";
export const EKS_NODES = "aws:eks/nodeGroup:NodeGroup";
export const EKS_NODES_NATIVE = "aws-native:eks:Nodegroup";
export const EKS_NODES_COMPONENTS = ["eks:index:NodeGroup", "eks:index:NodeGroupV2"] as const;
export const EKS_MANAGED_NODES = "eks:index:ManagedNodeGroup";
export const EKS_ADDON_COMPONENT = "eks:index:Addon";
export const EKS_NETWORK_COMPONENT = "eks:index:VpcCniAddon";

export const AKS = "azure-native:containerservice:ManagedCluster";
export const AKS_POOL = "azure-native:containerservice:AgentPool";
/** By the provider that is made from Terraform's. */
export const AKS_CLASSIC = "azure:containerservice/kubernetesCluster:KubernetesCluster";
export const AKS_POOL_CLASSIC = "azure:containerservice/kubernetesClusterNodePool:KubernetesClusterNodePool";

export const GKE = "gcp:container/cluster:Cluster";
export const GKE_POOL = "gcp:container/nodePool:NodePool";

export const INSTANCE = "aws:ec2/instance:Instance";
export const INSTANCE_NATIVE = "aws-native:ec2:Instance";
export const SPOT_INSTANCE = "aws:ec2/spotInstanceRequest:SpotInstanceRequest";
export const LAUNCH_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate";
export const LAUNCH_TEMPLATE_NATIVE = "aws-native:ec2:LaunchTemplate";
export const LAUNCH_CONFIGURATION = "aws:ec2/launchConfiguration:LaunchConfiguration";
export const LAUNCH_CONFIGURATION_NATIVE = "aws-native:autoscaling:LaunchConfiguration";
/** What says all of a machine of EC2 at its top. */
export const EC2_MACHINES = [
  INSTANCE,
  INSTANCE_NATIVE,
  SPOT_INSTANCE,
  LAUNCH_TEMPLATE,
  LAUNCH_CONFIGURATION,
  LAUNCH_CONFIGURATION_NATIVE,
] as const;
export const SPOT_FLEET = "aws:ec2/spotFleetRequest:SpotFleetRequest";

export const AZURE_MACHINE = "azure-native:compute:VirtualMachine";
export const AZURE_SCALE_SET = "azure-native:compute:VirtualMachineScaleSet";
export const AZURE_MACHINES_CLASSIC = [
  "azure:compute/linuxVirtualMachine:LinuxVirtualMachine",
  "azure:compute/windowsVirtualMachine:WindowsVirtualMachine",
] as const;
export const AZURE_SCALE_SETS_CLASSIC = [
  "azure:compute/linuxVirtualMachineScaleSet:LinuxVirtualMachineScaleSet",
  "azure:compute/windowsVirtualMachineScaleSet:WindowsVirtualMachineScaleSet",
] as const;
/** Of machines of either system, which it says in other places than those of one. */
export const AZURE_SCALE_SET_MIXED =
  "azure:compute/orchestratedVirtualMachineScaleSet:OrchestratedVirtualMachineScaleSet";

export const GOOGLE_MACHINES = [
  "gcp:compute/instance:Instance",
  "gcp:compute/instanceFromTemplate:InstanceFromTemplate",
  "gcp:compute/instanceTemplate:InstanceTemplate",
  "gcp:compute/regionInstanceTemplate:RegionInstanceTemplate",
] as const;

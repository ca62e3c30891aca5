import type { AddressPlan } from "../model/address-plan.ts";
import {
  API_ADDRESS_FOLDER,
  API_ADDRESS_UNIT,
  type ApiAddressSettings,
  apiAddressUnit,
  apiServerCheck,
  interfaceScript,
  keepalivedConfig,
} from "../render/api-address.ts";
import type { Files } from "./pod-networks/pod-network.ts";

/** Debian packages of a member that takes part in holding the API's address. */
const PACKAGES = ["curl", "keepalived"];

/** What a member of the control plane gets to hold the API's virtual address together with the others. */
export function apiAddressState(settings: ApiAddressSettings) {
  const files: Files = {
    [`${API_ADDRESS_FOLDER}/keepalived.conf`]: { content: keepalivedConfig(settings) },
    [`${API_ADDRESS_FOLDER}/check`]: { content: apiServerCheck(settings), mode: "0755" },
    [`${API_ADDRESS_FOLDER}/interface`]: { content: interfaceScript(settings), mode: "0755" },
  };
  const restartOn = [`${API_ADDRESS_FOLDER}/keepalived.conf`];
  // A restart would give the address away.
  const unit = { content: apiAddressUnit, enabled: true, running: true, restartOn, reloads: true };
  return { packages: PACKAGES, files, units: { [API_ADDRESS_UNIT]: unit } };
}

/** What a node's part in reaching and holding the API follows from. */
export interface ApiPlace {
  /** Addresses of the control plane's members, in the order of the program. */
  members: string[];
  apiPort: number;
  /** The virtual address. @default none */
  api: AddressPlan["api"];
}

/** Where the API's name leads on a host, in the order to try, and a member's part in holding the virtual address. */
export function apiOnNode(address: string, { members, apiPort, api }: ApiPlace) {
  const virtual = api ? [api.address] : [];
  // Each member is there as well, for the case that the virtual address is nowhere.
  if (!members.includes(address)) return { endpointAddresses: [...virtual, ...members] };
  const peers = members.filter((other) => other !== address);
  // Its own API first: a member does not lean on another to start.
  const endpointAddresses = [address, ...virtual, ...peers];
  if (!api) return { endpointAddresses };
  const part = { routerId: api.routerId, member: address, peers, place: members.indexOf(address) };
  return { endpointAddresses, apiAddress: { apiAddress: api.address, apiPort, ...part } };
}

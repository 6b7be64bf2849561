// What the pages use of htm, for the type check alone.
declare const htm: {
  bind<Made>(h: (...given: any[]) => Made): (strings: TemplateStringsArray, ...values: any[]) => Made;
};
export default htm;
